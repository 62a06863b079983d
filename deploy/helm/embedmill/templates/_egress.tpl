{{- /* Egress rules of a NetworkPolicy, derived from the addresses in the values. */}}

{{- /* Any address except the node's metadata service, which has its credentials. */}}
{{- define "embedmill.anywhere" -}}
- ipBlock: { cidr: 0.0.0.0/0, except: [169.254.0.0/16] }
- ipBlock: { cidr: '::/0', except: ['fe80::/10'] }
- namespaceSelector: {}
{{- end }}

{{- /*
The rules for an address: (list URL PORTS TO DEFAULT). If not empty, PORTS and TO replace what the address says. DEFAULT is
the port of an address that names none; 0 means that of its scheme. Each of several hosts, separated by commas, has its own
rule. Whether a host is a name or an IP address is decided by its form.
*/}}
{{- define "embedmill.egressOf" -}}
{{- $url := index . 0 }}
{{- $ports := index . 1 }}
{{- $to := index . 2 }}
{{- $usual := dict "https" 443 "http" 80 "postgres" 5432 "postgresql" 5432 "redis" 6379 "rediss" 6379 "redis+cluster" 6379 "rediss+cluster" 6379 "redis+sentinel" 26379 "rediss+sentinel" 26379 }}
{{- $scheme := regexFind "^[a-z0-9+]+" $url }}
{{- $default := index . 3 | default (get $usual $scheme) | toString }}
{{- $hosts := regexReplaceAll "^.*@" (regexFind "^[^/?]*" (regexReplaceAll "^[a-z0-9+]+://" $url "")) "" | splitList "," }}
{{- range $host := $hosts }}
{{- $name := regexReplaceAll ":[0-9]+$" $host "" | trimPrefix "[" | trimSuffix "]" }}
{{- $own := list (regexFind ":[0-9]+$" $host | trimPrefix ":" | default $default) }}
{{- /* The sentinels name a master whose port only they know. */}}
{{- if contains "sentinel" $scheme }}{{ $own = append $own "6379" }}{{ end }}
{{- /* A Unix socket has no host. */}}
{{- if or $name $ports }}
- ports:
    {{- range default $own $ports }}
    - { protocol: TCP, port: {{ int . }} }
    {{- end }}
  to:
    {{- if $to }}
    {{- toYaml $to | nindent 4 }}
    {{- else if regexMatch "^[0-9.]+$" $name }}
    - ipBlock: { cidr: {{ $name }}/32 }
    {{- else if contains ":" $name }}
    - ipBlock: { cidr: '{{ $name }}/128' }
    {{- else if regexMatch "^[^.]+\\.[^.]+\\.svc(\\.|$)" $name }}
    - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ index (splitList "." $name) 1 }} } }
    {{- else if or (not $name) (contains "." $name) }}
    {{- include "embedmill.anywhere" . | nindent 4 }}
    {{- else }}
    - podSelector: {}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The first set address of (list $ NAME…) that is in a Secret, whether or not the chart creates that Secret. */}}
{{- define "embedmill.secretAddress" -}}
{{- $ := index . 0 }}
{{- $found := "" }}
{{- range rest . }}
{{- $found = $found | default (get $.Values.secret.values . | default "" | toString) }}
{{- end }}
{{- $found }}
{{- end }}

{{- /*
The addresses in a part's settings: (list $ ENV EXTRA), its own variables as a map and as a list. The queue and the store
have rules of their own, and pages' origins are not called.
*/}}
{{- define "embedmill.addresses" -}}
{{- $ := index . 0 }}
{{- $shared := omit (merge dict $.Values.config $.Values.secret.values) "QUEUE_URL" "REDIS_URL" "QDRANT_URL" "MILVUS_URL" }}
{{- $own := deepCopy (index . 1) }}
{{- range index . 2 }}
{{- $_ := set $own .name (default "" .value) }}
{{- end }}
{{- range list $shared $own }}
{{- range $name, $value := omit . "EMBEDMILL_API_CORS_ORIGINS" }}
{{- $isWeb := regexMatch "^https?://" (toString $value) }}
{{- if or $isWeb (regexMatch "^(postgres(ql)?|rediss?(\\+(sentinel|cluster))?)://" (toString $value)) }}
{{- range ternary (splitList "," (toString $value)) (list $value) $isWeb }}
{{- if or (not $isWeb) (trim . | hasPrefix "http") }}
- { name: {{ $name }}, url: {{ trim . | quote }} }
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* All rules of a part: (list $ ADDRESSES), with those that its settings name. */}}
{{- define "embedmill.egress" -}}
{{- $ := index . 0 }}
{{- $addresses := index . 1 }}
{{- $egress := $.Values.networkPolicy.egress }}
{{- $ports := dict "QDRANT_URL" 6333 "MILVUS_URL" 19530 }}
{{- $queue := get $.Values.config "QUEUE_URL" | default (tpl $.Values.queue.url $) | default (include "embedmill.secretAddress" (list $ "QUEUE_URL" "REDIS_URL")) }}
{{- if and (not $queue) (not $egress.queue.ports) }}
{{- fail "networkPolicy.egress.queue.ports: the queue's address is in a Secret that the chart cannot read; set its ports, such as [6379]" }}
{{- end }}
{{- $store := tpl $.Values.store.url $ | default (include "embedmill.secretAddress" (list $ "QDRANT_URL" "MILVUS_URL")) }}
{{- if and (not $store) (not $egress.store.ports) }}
{{- fail "networkPolicy.egress.store.ports: the store's address is in a Secret that the chart cannot read; set its ports, such as [6333]" }}
{{- end }}
{{- $storePort := ternary "MILVUS_URL" "QDRANT_URL" (eq $.Values.store.kind "milvus") | get $ports }}
# DNS
- ports: [{ protocol: UDP, port: 53 }, { protocol: TCP, port: 53 }]
{{ include "embedmill.egressOf" (list $queue $egress.queue.ports $egress.queue.to 0) | trim }}
{{ include "embedmill.egressOf" (list $store $egress.store.ports $egress.store.to $storePort) | trim }}
{{- if eq $.Values.spool.kind "s3" }}
{{- with $.Values.spool.s3.endpoint }}
{{ include "embedmill.egressOf" (list . (list) (list) 0) | trim }}
{{- end }}
{{- end }}
{{- $rules := list }}
{{- range $addresses }}
{{- $rules = append $rules (include "embedmill.egressOf" (list .url (list) (list) (get $ports .name | default 0)) | trim) }}
{{- end }}
{{- range compact $rules | uniq }}
{{ . }}
{{- end }}
- ports:
    {{- range $egress.web.ports }}
    - { protocol: TCP, port: {{ int . }} }
    {{- end }}
  to:
    {{- if $egress.web.to }}
    {{- toYaml $egress.web.to | nindent 4 }}
    {{- else }}
    {{- include "embedmill.anywhere" . | nindent 4 }}
    {{- end }}
{{- with $egress.extra }}
{{ toYaml . }}
{{- end }}
{{- end }}
