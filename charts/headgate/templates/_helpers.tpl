{{- define "headgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | toString | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "headgate.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- include "headgate.short" (toString .Values.fullnameOverride) }}
{{- else if contains (include "headgate.name" .) .Release.Name }}
{{- include "headgate.short" .Release.Name }}
{{- else }}
{{- include "headgate.short" (printf "%s-%s" .Release.Name (include "headgate.name" .)) }}
{{- end }}
{{- end }}

{{/* 40 characters at most; of a longer name the end tells it from others that begin alike. */}}
{{- define "headgate.short" -}}
{{- if gt (len .) 40 }}{{ printf "%s-%s" (trunc 31 . | trimSuffix "-") (sha256sum . | trunc 8) }}{{ else }}{{ trimSuffix "-" . }}{{ end }}
{{- end }}

{{- define "headgate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "headgate.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: headgate
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Call with (list $ "component"). */}}
{{- define "headgate.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ include "headgate.name" $ | quote }}
app.kubernetes.io/instance: {{ $.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* metadata of an object: (list $ "component" "name"). */}}
{{- define "headgate.metadata" -}}
{{- $ := index . 0 -}}
name: {{ index . 2 | quote }}
namespace: {{ $.Release.Namespace | quote }}
labels:
  {{- include "headgate.labels" $ | nindent 2 }}
  app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* (list $ image) */}}
{{- define "headgate.imageOf" -}}
{{- $ := index . 0 -}}
{{- $image := index . 1 -}}
{{- $registry := $.Values.global.imageRegistry | default $image.registry | default "" -}}
{{- $name := ternary (printf "%s/%s" $registry $image.repository) $image.repository (ne $registry "") -}}
{{- if $image.digest }}{{ printf "%s@%s" $name $image.digest }}{{ else }}{{ printf "%s:%s" $name ($image.tag | default $.Chart.AppVersion | toString) }}{{ end -}}
{{- end }}

{{- define "headgate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "headgate.fullname" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "headgate.secretName" -}}
{{- .Values.secrets.existingSecret | default (include "headgate.fullname" .) }}
{{- end }}

{{- define "headgate.configMapName" -}}
{{- .Values.existingConfigMap | default (printf "%s-config" (include "headgate.fullname" .)) }}
{{- end }}

{{/* "true" where the simulator runs. */}}
{{- define "headgate.demo" -}}
{{- if eq (toString .Values.demo.enabled) "auto" }}
{{- if not (or .Values.providerKeys.values .Values.providerKeys.existingSecrets .Values.config.providers .Values.existingConfigMap) }}true{{ end }}
{{- else if .Values.demo.enabled }}true{{ end }}
{{- end }}

{{/* "true" where nobody but the simulator can answer, as far as the values tell. */}}
{{- define "headgate.onlyDemo" -}}
{{- if eq (include "headgate.demo" .) "true" }}
{{- if not (or .Values.providerKeys.values .Values.providerKeys.existingSecrets .Values.config.providers .Values.config.models .Values.existingConfigMap .Values.extraEnv .Values.extraEnvFrom .Values.control.extraEnv) }}true{{ end }}
{{- end }}
{{- end }}

{{/* Of variables as YAML text: where a name is given twice the last value counts, and stands in the first place. */}}
{{- define "headgate.uniqueEnv" -}}
{{- $given := fromYamlArray . }}
{{- $last := dict }}
{{- range $given }}{{ $_ := set $last .name . }}{{ end }}
{{- $seen := dict }}
{{- $all := list }}
{{- range $given }}
{{- if not (hasKey $seen .name) }}{{ $_ := set $seen .name true }}{{ $all = append $all (get $last .name) }}{{ end }}
{{- end }}
{{- toYaml $all }}
{{- end }}

{{/* How pods are replaced: the defaults of a rolling update are none of Recreate. */}}
{{- define "headgate.strategy" -}}
{{- toYaml (ternary (omit . "rollingUpdate") . (eq (toString .type) "Recreate")) }}
{{- end }}

{{/* What both the pod and the process take at most: preStop, the pause inside, the drain, and giving leases and usage back. */}}
{{- define "headgate.ingressGrace" -}}
{{- with .Values.ingress }}
{{- $least := add (mul 2 (int .drain.delaySeconds)) (int .drain.timeoutSeconds) }}
{{- include "headgate.grace" (list "ingress" .terminationGracePeriodSeconds $least "twice drain.delaySeconds and drain.timeoutSeconds") }}
{{- end }}
{{- end }}

{{- define "headgate.embedderGrace" -}}
{{- with .Values.embedder }}
{{- include "headgate.grace" (list "embedder" .terminationGracePeriodSeconds (int .drainSeconds) "drainSeconds") }}
{{- end }}
{{- end }}

{{/* (list service given least what): leases and usage take some seconds more. */}}
{{- define "headgate.grace" -}}
{{- $given := index . 1 }}
{{- $least := index . 2 }}
{{- if kindIs "invalid" $given }}{{ add $least 20 }}
{{- else if lt (int $given) (int (add $least 5)) }}{{ fail (printf "%s.terminationGracePeriodSeconds is %d, which cuts streams off before their time: at least %d is needed (%s, and 5 s); or leave it null" (index . 0) (int $given) (add $least 5) (index . 3)) }}
{{- else }}{{ int $given }}{{ end }}
{{- end }}

{{/* (list name key), or (list name key "optional") */}}
{{- define "headgate.fromSecret" -}}
valueFrom: {secretKeyRef: {name: {{ index . 0 | quote }}, key: {{ index . 1 | quote }}{{ if gt (len .) 2 }}, optional: true{{ end }}}}
{{- end }}

{{/* NODE_OPTIONS: the heap grows to a part of the limit, so that Node collects before the kernel kills: (list $ settings processes). */}}
{{- define "headgate.heap" -}}
{{- $ := index . 0 }}
{{- $own := index . 1 }}
{{- $limit := toString (($own.resources).limits).memory }}
{{- $given := false }}
{{- range concat (default list $.Values.extraEnv) (default list $own.extraEnv) }}{{ if eq .name "NODE_OPTIONS" }}{{ $given = true }}{{ end }}{{ end }}
{{- if and (not $given) (regexMatch "^[0-9]+[MG]i$" $limit) (ne (toString (index . 2)) "auto") }}
{{- $mebibytes := mul (regexFind "^[0-9]+" $limit | int) (ternary 1024 1 (hasSuffix "Gi" $limit)) -}}
- {name: NODE_OPTIONS, value: --max-old-space-size={{ div (div (mul $mebibytes 60) 100) (index . 2 | int) }}}
{{- end }}
{{- end }}

{{/* REDIS_URL and what it needs. */}}
{{- define "headgate.redisEnv" -}}
{{- $external := .Values.redis.external }}
{{- if eq .Values.redis.mode "bundled" }}
- name: REDIS_PASSWORD
  {{- include "headgate.fromSecret" (list (printf "%s-redis" (include "headgate.fullname" .)) "redis-password") | nindent 2 }}
- name: REDIS_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "headgate.fullname" . }}-redis:6379
{{- else if $external.existingSecret }}
- name: REDIS_URL
  {{- include "headgate.fromSecret" (list $external.existingSecret $external.existingSecretKey) | nindent 2 }}
{{- else }}
{{- if $external.passwordSecret.name }}
- name: REDIS_PASSWORD
  {{- include "headgate.fromSecret" (list $external.passwordSecret.name $external.passwordSecret.key) | nindent 2 }}
{{- end }}
- name: REDIS_URL
  value: {{ $external.url | quote }}
{{- end }}
{{- if include "headgate.redisCa" . }}
- name: NODE_EXTRA_CA_CERTS
  value: /etc/headgate-redis-ca/{{ $external.caSecretKey }}
{{- end }}
{{- with .Values.redis.queue }}
{{- if .existingSecret }}
- name: HEADGATE_QUEUE_REDIS_URL
  {{- include "headgate.fromSecret" (list .existingSecret .existingSecretKey) | nindent 2 }}
{{- else if .url }}
- name: HEADGATE_QUEUE_REDIS_URL
  value: {{ .url | quote }}
{{- end }}
{{- end }}
- name: HEADGATE_REDIS_PREFIX
  value: {{ .Values.redis.prefix | quote }}
{{- end }}

{{- define "headgate.redisCa" -}}
{{- if and (eq .Values.redis.mode "external") .Values.redis.external.caSecret }}true{{ end }}
{{- end }}

{{/* Variables of every service that talks to Redis. */}}
{{- define "headgate.env" -}}
- name: HEADGATE_SECRET
  {{- include "headgate.fromSecret" (list (include "headgate.secretName" .) .Values.secrets.keys.secret) | nindent 2 }}
{{- include "headgate.redisEnv" . }}
- name: HEADGATE_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
{{- with .Values.telemetry.otlp }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: {{ .protocol | quote }}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.Release.Namespace }},k8s.pod.name=$(POD_NAME)
{{- if .headersSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  {{- include "headgate.fromSecret" (list .headersSecret "headers") | nindent 2 }}
{{- end }}
{{- if .sampler }}
- name: OTEL_TRACES_SAMPLER
  value: {{ .sampler | quote }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .samplerArg | toString | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "headgate.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Where a pod may run: settings. */}}
{{- define "headgate.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* The pod's own part, the same for all: (list $ component settings). */}}
{{- define "headgate.pod" -}}
{{- $ := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := index . 2 -}}
serviceAccountName: {{ include "headgate.serviceAccountName" $ }}
automountServiceAccountToken: {{ $.Values.automountServiceAccountToken }}
enableServiceLinks: false
{{- include "headgate.pullSecrets" $ }}
securityContext:
  {{- toYaml $.Values.podSecurityContext | nindent 2 }}
{{- with $.Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $.Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "headgate.placement" $own }}
{{- if kindIs "invalid" $own.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "headgate.selector" (list $ $component) | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- else }}
{{- with $own.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with $own.initContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Volumes of ingress, embedder and control. */}}
{{- define "headgate.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .Values.tmpSizeLimit }}}
{{- if include "headgate.redisCa" . }}
- name: redis-ca
  secret:
    secretName: {{ .Values.redis.external.caSecret }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "headgate.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if include "headgate.redisCa" . }}
- name: redis-ca
  mountPath: /etc/headgate-redis-ca
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* (list port settings) */}}
{{- define "headgate.probes" -}}
{{- $port := index . 0 }}
{{- range $probe := list "startup" "readiness" "liveness" }}
{{ $probe }}Probe:
  httpGet: {path: /health/{{ ternary "ready" "live" (eq $probe "readiness") }}, port: {{ $port }}}
  {{- with get (index $ 1) $probe }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Labels and annotations of a pod: (list $ component settings). No version in them: only what changes a pod restarts it. */}}
{{- define "headgate.podMetadata" -}}
{{- $ := index . 0 -}}
{{- $own := index . 2 -}}
labels:
  {{- include "headgate.selector" (list $ (index . 1)) | nindent 2 }}
  app.kubernetes.io/part-of: headgate
  {{- with $own.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $own.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What was kept in a Secret of ours, otherwise a new random text: (list $ secret key length). */}}
{{- define "headgate.kept" -}}
{{- $ := index . 0 -}}
{{- $old := lookup "v1" "Secret" $.Release.Namespace (index . 1) -}}
{{- $data := ($old | default dict).data | default dict -}}
{{- get $data (index . 2) | default (randAlphaNum (int (index . 3)) | b64enc) -}}
{{- end }}

{{/* A PodDisruptionBudget: (list $ component name settings). */}}
{{- define "headgate.pdb" }}
{{- $ := index . 0 }}
{{- $own := index . 3 }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "headgate.metadata" (list $ (index . 1) (index . 2)) | nindent 2 }}
spec:
  maxUnavailable: {{ $own.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "headgate.selector" (list $ (index . 1)) | nindent 6 }}
{{- end }}
