{{/* What every process is told that is no secret. */}}
{{- define "kinesphere.settings" -}}
{{- $given := .Values.settings }}
- name: KINESPHERE_MODELS
  value: {{ include "kinesphere.models" . | quote }}
{{- range $name, $value := $given }}
{{- if not (kindIs "invalid" $value) }}
- name: KINESPHERE_{{ upper $name }}
  value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end }}
{{- if and .Values.ingress.enabled (not $given.public_url) }}
- name: KINESPHERE_PUBLIC_URL
  value: https://{{ .Values.ingress.host }}
{{- else if and .Values.istio.enabled (not $given.public_url) }}
- name: KINESPHERE_PUBLIC_URL
  value: https://{{ .Values.istio.host }}
{{- end }}
- name: KINESPHERE_DATA
  value: /data
- name: KINESPHERE_SCALING_POLICY
  value: /etc/kinesphere/policy.toml
- name: KINESPHERE_WEIGHTS
  value: /weights
- name: HOME
  value: /data
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Variables of every process. Secrets are named, never held. */}}
{{- define "kinesphere.env" -}}
{{ include "kinesphere.settings" . }}
{{- $keys := .Values.secrets.keys }}
{{- range $setting := list "database_url" "redis_url" "broker_url" "link_secret" "webhook_secret" "webhook_secret_previous" "cdn_secret" }}
{{- with index $keys $setting }}
- name: KINESPHERE_{{ upper $setting }}
  valueFrom: {secretKeyRef: {name: {{ $.Values.secrets.name }}, key: {{ . }}}}
{{- end }}
{{- end }}
{{ include "kinesphere.store" . }}
{{- end }}

{{/* The access key of the S3 store. */}}
{{- define "kinesphere.store" -}}
{{- $keys := .Values.secrets.keys }}
{{- with $keys.s3_access_key }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ $.Values.secrets.name }}, key: {{ . }}}}
{{- end }}
{{- with $keys.s3_secret_key }}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ $.Values.secrets.name }}, key: {{ . }}}}
{{- end }}
{{- end }}

{{- define "kinesphere.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "kinesphere.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "kinesphere.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: data, mountPath: /data}
- {name: policy, mountPath: /etc/kinesphere, readOnly: true}
{{- end }}

{{- define "kinesphere.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 4Gi}
- name: data
  emptyDir: {sizeLimit: 4Gi}
- name: policy
  configMap: {name: {{ include "kinesphere.name" . }}-policy}
{{- end }}

{{/*
The tables are brought up to date before any process of a release starts; whoever comes second waits
for the first and finds nothing to do.
*/}}
{{- define "kinesphere.upgrade" -}}
name: upgrade
image: {{ .image }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: [db, upgrade]
env:
  - name: KINESPHERE_DATABASE_URL
    valueFrom: {secretKeyRef: {name: {{ .root.Values.secrets.name }}, key: {{ .root.Values.secrets.keys.database_url }}}}
  - {name: HOME, value: /data}
resources:
  requests: {cpu: 100m, memory: 256Mi}
  limits: {cpu: "1", memory: 256Mi}
securityContext:
  {{- include "kinesphere.containerSecurity" .root | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: data, mountPath: /data}
{{- end }}

{{- define "kinesphere.spread" -}}
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
  labelSelector: {matchLabels: {{ .match | toJson }}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: {{ .host | default "ScheduleAnyway" }}
  labelSelector: {matchLabels: {{ .match | toJson }}}
{{- end }}

{{/* A pod's part that all of ours share: what they may, where they come from, how they look inside. */}}
{{- define "kinesphere.pod" -}}
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "kinesphere.podSecurity" . | nindent 2 }}
{{- end }}
