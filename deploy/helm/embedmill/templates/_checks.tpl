{{- /* What values.schema.json cannot tell, and the API server would refuse, in part, or for every pod. */}}

{{- /* A quantity as a number. */}}
{{- define "embedmill.quantity" -}}
{{- $units := dict "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 }}
{{- $text := toString . }}
{{- $unit := regexFind "[a-zA-Z]+$" $text }}
{{- mulf (trimSuffix $unit $text | float64) (get $units $unit | default 1.0) }}
{{- end }}

{{- /* The values of the API, or of a pool: (list PLACE VALUES). */}}
{{- define "embedmill.checkPart" -}}
{{- $place := index . 0 }}
{{- $part := index . 1 }}
{{- $limits := default dict $part.resources.limits }}
{{- range $name, $request := $part.resources.requests }}
{{- $limit := get $limits $name }}
{{- if and (hasKey $limits $name) (gt (include "embedmill.quantity" $request | float64) (include "embedmill.quantity" $limit | float64)) }}
{{- fail (printf "%s.resources: the request %v of %s is more than its limit %v" $place $request $name $limit) }}
{{- end }}
{{- end }}
{{- $volumes := list "data" "tmp" "models" "spool" "ca" "keys" }}
{{- $paths := list "/data" "/tmp" "/models" "/spool" "/etc/embedmill/ca" "/etc/embedmill/keys" }}
{{- range $part.extraVolumes }}
{{- if has .name $volumes }}
{{- fail (printf "%s.extraVolumes: there is already a volume %s; give this one another name" $place .name) }}
{{- end }}
{{- $volumes = append $volumes .name }}
{{- end }}
{{- range $part.extraVolumeMounts }}
{{- if not (has .name $volumes) }}
{{- fail (printf "%s.extraVolumeMounts: there is no volume %s; add it to extraVolumes" $place .name) }}
{{- end }}
{{- if has .mountPath $paths }}
{{- fail (printf "%s.extraVolumeMounts: there is already a volume at %s" $place .mountPath) }}
{{- end }}
{{- $paths = append $paths .mountPath }}
{{- end }}
{{- range list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" "embedmill/pool" }}
{{- if hasKey $part.podLabels . }}
{{- fail (printf "%s.podLabels: the chart sets %s itself, and selects pods by it" $place .) }}
{{- end }}
{{- end }}
{{- end }}
