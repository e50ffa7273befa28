{{- define "kinesphere.name" -}}
{{- if .Values.nameOverride }}{{ .Values.nameOverride }}
{{- else if contains "kinesphere" .Release.Name }}{{ .Release.Name | trunc 30 | trimSuffix "-" }}
{{- else }}{{ printf "%s-kinesphere" .Release.Name | trunc 30 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "kinesphere.selector" -}}
app.kubernetes.io/name: kinesphere
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kinesphere.labels" -}}
{{ include "kinesphere.selector" . }}
app.kubernetes.io/part-of: kinesphere
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* An image of one target: (dict "root" $ "target" "cpu"), and "own" with a tag or digest of its own. */}}
{{- define "kinesphere.image" -}}
{{- $image := index .root.Values.image .target }}
{{- $own := .own | default dict }}
{{- $digest := $own.digest | default (ternary "" $image.digest (not (empty $own.tag))) }}
{{- if $digest }}{{ printf "%s@%s" $image.repository $digest }}
{{- else }}{{ printf "%s:%s" $image.repository ($own.tag | default $image.tag | default (printf "%s-%s" .root.Chart.AppVersion .target)) }}
{{- end }}
{{- end }}

{{/* The models of all enabled pools, as JSON. */}}
{{- define "kinesphere.models" -}}
{{- $models := list }}
{{- range $name, $pool := .Values.pools }}
{{- if $pool.enabled }}{{ $models = append $models $pool.model }}{{ end }}
{{- end }}
{{- $models | uniq | sortAlpha | toJson }}
{{- end }}

{{/* The tiers of a pool, as JSON; one without a name where it has none. */}}
{{- define "kinesphere.tiers" -}}
{{- if .tiers }}{{ toJson .tiers }}{{ else }}{"": {}}{{ end }}
{{- end }}

{{/* Name of a pool's Deployment on a tier: (dict "root" $ "pool" name "tier" name). */}}
{{- define "kinesphere.worker" -}}
{{- printf "%s-%s" (include "kinesphere.name" .root) (.pool | replace "." "-") }}{{ with .tier }}-{{ . }}{{ end }}
{{- end }}

{{- define "kinesphere.priority" -}}
{{- $own := index .root.Values.priorityClasses .class }}
{{- if $own }}{{ $own }}{{ else if .root.Values.priorityClasses.create }}{{ include "kinesphere.name" .root }}-{{ .class }}{{ end }}
{{- end }}
