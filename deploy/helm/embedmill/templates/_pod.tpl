{{- /* What API and worker pods have in common. All templates except the last take the root context. */}}

{{- define "embedmill.checksums" -}}
checksum/config: {{ include (print .Template.BasePath "/configmap.yaml") . | sha256sum }}
{{- if and .Values.secret.values (not .Values.secret.existing) }}
checksum/secret: {{ .Values.secret.values | toJson | sha256sum }}
{{- end }}
{{- end }}

{{- define "embedmill.envFrom" -}}
- configMapRef: { name: {{ include "embedmill.fullname" . }} }
{{- with include "embedmill.secret" . }}
- secretRef: { name: {{ . }} }
{{- end }}
{{- end }}

{{- define "embedmill.volumeMounts" -}}
- { name: data, mountPath: /data }
- { name: tmp, mountPath: /tmp }
- { name: models, mountPath: /models }
{{- if eq .Values.spool.kind "volume" }}
- { name: spool, mountPath: /spool }
{{- end }}
{{- if .Values.ca.existingSecret }}
- { name: ca, mountPath: /etc/embedmill/ca, readOnly: true }
{{- end }}
{{- end }}

{{- /* (list $ the part's values) */}}
{{- define "embedmill.volumes" -}}
{{- $ := index . 0 }}
{{- $part := index . 1 }}
{{- range list "data" "tmp" }}
- name: {{ . }}
  emptyDir: { sizeLimit: {{ $part.scratchSizeLimit }} }
{{- end }}
- name: models
  {{- $cache := default dict $part.modelCache }}
  {{- if $cache.existingClaim }}
  persistentVolumeClaim: { claimName: {{ $cache.existingClaim }} }
  {{- else if $.Values.models.download }}
  persistentVolumeClaim: { claimName: {{ include "embedmill.modelsClaim" $ }} }
  {{- else }}
  emptyDir: { sizeLimit: {{ default "1Gi" $cache.sizeLimit }} }
  {{- end }}
{{- if eq $.Values.spool.kind "volume" }}
- name: spool
  persistentVolumeClaim: { claimName: {{ include "embedmill.spoolClaim" $ }} }
{{- end }}
{{- with $.Values.ca.existingSecret }}
- name: ca
  secret: { secretName: {{ . }}, items: [{ key: {{ $.Values.ca.key }}, path: ca.crt }] }
{{- end }}
{{- end }}

{{- /* Scheduling of a part's pods: (list $ the part's values, its selector's labels as a list of lines). */}}
{{- define "embedmill.scheduling" -}}
{{- $ := index . 0 }}
{{- $part := index . 1 }}
{{- $selector := index . 2 }}
{{- with $.Values.images.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $part.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $.Values.topologySpread }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* The value of a variable; whole numbers keep all their digits. */}}
{{- define "embedmill.variable" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ printf "%.0f" . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{- /*
A container's variables: (list PLACE OWN MORE EXTRA); OWN is YAML that the chart sets itself. A variable that is set
twice is refused: Helm 3 would send both, and Helm 4 would fail.
*/}}
{{- define "embedmill.env" -}}
{{- $place := index . 0 }}
{{- $variables := index . 1 | fromYamlArray }}
{{- range $name, $value := index . 2 }}
{{- $variables = append $variables (dict "name" $name "value" (include "embedmill.variable" $value)) }}
{{- end }}
{{- $variables = concat $variables (index . 3) }}
{{- $seen := dict }}
{{- range $variables }}
{{- if hasKey $seen .name }}
{{- fail (printf "%s: %s is set twice; variables that the chart sets have their own value in values.yaml" $place .name) }}
{{- end }}
{{- $_ := set $seen .name true }}
{{- end }}
{{- toYaml $variables }}
{{- end }}

{{- /*
The initial replicas of a Deployment that an autoscaler controls: those that it has now, because without the field they
would be set to 1. (list $ name)
*/}}
{{- define "embedmill.presentReplicas" -}}
{{- $ := index . 0 }}
{{- with lookup "apps/v1" "Deployment" $.Release.Namespace (index . 1) }}
replicas: {{ .spec.replicas }}
{{- end }}
{{- end }}

{{- /* Longer than a pod takes to end and its successor to become ready; otherwise the rollout fails. (list startupSeconds grace) */}}
{{- define "embedmill.progressDeadline" -}}
progressDeadlineSeconds: {{ add 300 (index . 0) (index . 1) }}
{{- end }}
