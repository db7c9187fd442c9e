{{/* Values that contradict each other, each with the way out. */}}
{{- define "headgate.check" -}}
{{- $demo := include "headgate.demo" . }}
{{- with .Values }}
{{- if .config.redis }}{{ fail "config.redis is not for this chart: set redis.mode, redis.external and redis.prefix" }}{{ end }}
{{- range list "host" "port" "processes" }}
{{- if hasKey ($.Values.config.server | default dict) . }}{{ fail (printf "config.server.%s is not for this chart: the Service and ingress.processes say it" .) }}{{ end }}
{{- end }}
{{- if and .existingConfigMap .config }}{{ fail "existingConfigMap and config exclude each other: set one of them" }}{{ end }}
{{- if not (or $demo .config.providers .existingConfigMap .providerKeys.values .providerKeys.existingSecrets .extraEnv .extraEnvFrom .control.extraEnv) }}{{ fail "no provider is set up, and demo.enabled is false: set providerKeys or config.providers, or leave demo.enabled at auto" }}{{ end }}
{{- if and (eq .redis.mode "external") (not (or .redis.external.url .redis.external.existingSecret)) }}{{ fail "redis.mode is external: set redis.external.existingSecret, or redis.external.url" }}{{ end }}
{{- if and (eq .redis.mode "bundled") (or .redis.external.url .redis.external.existingSecret) }}{{ fail "redis.external is set, and redis.mode is bundled: set redis.mode to external" }}{{ end }}
{{- if and .redis.external.url .redis.external.existingSecret }}{{ fail "redis.external.url and redis.external.existingSecret exclude each other: set one of them" }}{{ end }}
{{- if and .redis.external.url .redis.external.passwordSecret.name (not (contains "$(REDIS_PASSWORD)" .redis.external.url)) }}{{ fail "redis.external.passwordSecret is set, but redis.external.url does not name it: write rediss://:$(REDIS_PASSWORD)@host:6379" }}{{ end }}
{{- if and (hasPrefix "redis+sentinel" (.redis.external.url | replace "rediss" "redis")) (not (regexMatch "^[a-z+]+://[^/]+/[^/?]+" .redis.external.url)) }}{{ fail "redis.external.url lacks the name of the master: redis+sentinel://host:26379,host:26379/name" }}{{ end }}
{{- if .ingress.autoscaling.enabled }}
{{- if not (or .ingress.autoscaling.targetCPUUtilizationPercentage .ingress.autoscaling.targetStreamsPerPod) }}{{ fail "ingress.autoscaling has no target: set targetCPUUtilizationPercentage or targetStreamsPerPod" }}{{ end }}
{{- end }}
{{- range list "ingress" "embedder" }}
{{- $own := get $.Values . }}
{{- if and $own.autoscaling.enabled (gt (int $own.autoscaling.minReplicas) (int $own.autoscaling.maxReplicas)) }}{{ fail (printf "%s.autoscaling.minReplicas is above maxReplicas" .) }}{{ end }}
{{- if and $own.autoscaling.enabled $own.autoscaling.targetCPUUtilizationPercentage (not (($own.resources).requests).cpu) }}{{ fail (printf "%s.autoscaling goes by CPU, which needs %s.resources.requests.cpu" . .) }}{{ end }}
{{- end }}
{{- if .embedder.keda.enabled }}
{{- if .embedder.autoscaling.enabled }}{{ fail "embedder.keda and embedder.autoscaling exclude each other: enable one of them" }}{{ end }}
{{- if gt (int .embedder.keda.minReplicaCount) (int .embedder.keda.maxReplicaCount) }}{{ fail "embedder.keda.minReplicaCount is above maxReplicaCount" }}{{ end }}
{{- if not (or $demo .embedder.keda.providers .config.providers) }}{{ fail "embedder.keda.providers is empty, and config.providers says nothing: name the providers that have embedding models, such as [openai]" }}{{ end }}
{{- if not .embedder.enabled }}{{ fail "embedder.keda is enabled, and embedder.enabled is false" }}{{ end }}
{{- end }}
{{- if and .expose.httpRoute.enabled (not .expose.httpRoute.parentRefs) }}{{ fail "expose.httpRoute.parentRefs is empty: name the Gateway that serves the route" }}{{ end }}
{{- if and .metrics.serviceMonitor.enabled .metrics.podMonitor.enabled }}{{ fail "metrics.serviceMonitor and metrics.podMonitor would count everything twice: enable one of them" }}{{ end }}
{{- range list "serviceMonitor" "podMonitor" "prometheusRule" }}
{{- if and (get $.Values.metrics .).enabled (not ($.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) }}{{ fail (printf "metrics.%s.enabled needs the Prometheus Operator, whose monitoring.coreos.com/v1 this cluster does not have (with helm template: --api-versions monitoring.coreos.com/v1)" .) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
