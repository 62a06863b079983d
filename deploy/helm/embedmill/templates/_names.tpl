{{- define "embedmill.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "embedmill.fullname" -}}
{{- $name := include "embedmill.name" . }}
{{- $fullname := .Values.fullnameOverride | default (ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name)) | trunc 40 | trimSuffix "-" }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $fullname) }}
{{- fail (printf "fullnameOverride: a Service cannot be called %s, after this release; set another name, of letters, digits and hyphens, with a letter first" $fullname) }}
{{- end }}
{{- $fullname }}
{{- end }}

{{- /* The labels that select pods; they must not change between releases. */}}
{{- define "embedmill.selector" -}}
app.kubernetes.io/name: {{ include "embedmill.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "embedmill.labels" -}}
{{ include "embedmill.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "embedmill.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "embedmill.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* An image's reference: (list $ name). */}}
{{- define "embedmill.image" -}}
{{- $ := index . 0 }}
{{- $name := index . 1 }}
{{- with $.Values.images.registry }}{{ . }}/{{ end }}{{ $name }}
{{- if not (contains "@" $name) }}:{{ default $.Chart.AppVersion $.Values.images.tag }}{{ end }}
{{- end }}

{{- define "embedmill.secret" -}}
{{- if .Values.secret.existing -}}
{{- .Values.secret.existing }}
{{- else if .Values.secret.values -}}
{{- include "embedmill.fullname" . }}
{{- end }}
{{- end }}

{{- define "embedmill.spoolClaim" -}}
{{- default (printf "%s-spool" (include "embedmill.fullname" .)) .Values.spool.volume.existingClaim }}
{{- end }}

{{- define "embedmill.modelsClaim" -}}
{{- default (printf "%s-models" (include "embedmill.fullname" .)) .Values.models.claim.existing }}
{{- end }}

{{- /* A pool merged with workerDefaults: (list $ name), as JSON. Fails for settings that cannot work. */}}
{{- define "embedmill.pool" -}}
{{- $ := index . 0 }}
{{- $name := index . 1 }}
{{- $pool := mergeOverwrite (deepCopy $.Values.workerDefaults) (deepCopy (index $.Values.workerPools $name)) }}
{{- $least := add $pool.batchSeconds $pool.upsertSeconds }}
{{- if and (not $pool.spot) (lt (int $pool.drainSeconds) (int $least)) }}
{{- fail (printf "workerPools.%s: drainSeconds is %d, so that a stopping pod would cut off a batch of batchSeconds %d and its write of upsertSeconds %d; make drainSeconds at least %d, or set spot: true if machines are reclaimed sooner" $name (int $pool.drainSeconds) (int $pool.batchSeconds) (int $pool.upsertSeconds) (int $least)) }}
{{- end }}
{{- if and (contains "/mig-" $pool.gpu.resource) (gt (int $pool.gpu.count) 1) }}
{{- fail (printf "workerPools.%s: gpu.count is %d, but a process sees only one MIG slice; leave it at 1 and use more replicas" $name (int $pool.gpu.count)) }}
{{- end }}
{{- $cuda := eq $pool.device "cuda" }}
{{- $_ := set $pool.rollout "maxSurge" ($pool.rollout.maxSurge | toString | default (ternary "0" "25%" $cuda)) }}
{{- $_ := set $pool.rollout "maxUnavailable" ($pool.rollout.maxUnavailable | toString | default (ternary "25%" "0" $cuda)) }}
{{- if and (regexMatch "^0+%?$" $pool.rollout.maxSurge) (regexMatch "^0+%?$" $pool.rollout.maxUnavailable) }}
{{- fail (printf "workerPools.%s: rollout.maxSurge and rollout.maxUnavailable are both 0, so that no pod could ever be replaced" $name) }}
{{- end }}
{{- include "embedmill.checkPart" (list (printf "workerPools.%s" $name) $pool) }}
{{- with $pool.autoscaling }}
{{- if and (eq .kind "hpa") (lt (int .minReplicas) 1) }}
{{- fail (printf "workerPools.%s: autoscaling.minReplicas is 0, but a HorizontalPodAutoscaler keeps at least one replica; use the kind keda, or 1" $name) }}
{{- end }}
{{- if gt (int .minReplicas) (int .maxReplicas) }}
{{- fail (printf "workerPools.%s: autoscaling.minReplicas %d is more than maxReplicas %d" $name (int .minReplicas) (int .maxReplicas)) }}
{{- end }}
{{- if and (eq .kind "keda") (eq .keda.trigger "metrics-api") (gt (len $pool.models) 1) }}
{{- fail (printf "workerPools.%s: the trigger metrics-api reads the backlog of one model, or of all models if the list is empty, but the pool has %d; use the trigger prometheus, or a pool for each model" $name (len $pool.models)) }}
{{- end }}
{{- end }}
{{- $pool | toJson }}
{{- end }}
