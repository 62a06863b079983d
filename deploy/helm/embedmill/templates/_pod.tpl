{{- /* What API and worker pods have in common. All but the last take the root context. */}}

{{- /* PodSecurity "restricted". */}}
{{- define "embedmill.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "embedmill.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

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

{{- /* Where a part's pods go: (list $ the part's values, its selector's labels as a list of lines). */}}
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

{{- /* (dict of variables) */}}
{{- define "embedmill.env" -}}
{{- range $name, $value := . }}
- { name: {{ $name }}, value: {{ $value | toString | quote }} }
{{- end }}
{{- end }}
