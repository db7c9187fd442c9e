/** Values that cannot work are refused, with a message that names the way out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findHelms } from './helm.ts';
import { HelmError, type RenderOptions, render } from './render.ts';

const REFUSED: readonly (readonly [RenderOptions, RegExp])[] = [
  [{ set: ['ingress.replicaCountt=3'] }, /replicaCountt/],
  [{ set: ['logLevel=loud'] }, /logLevel/],
  [{ set: ['redis.prefix=a b'] }, /redis.?.?prefix/],
  [{ set: ['config.redis.url=redis://here'] }, /redis\.external/],
  [{ set: ['config.server.port=80'] }, /ingress\.processes/],
  [{ set: ['config.server.processes=4'] }, /ingress\.processes/],
  [{ set: ['existingConfigMap=mine', 'config.limits.onRedisLoss=deny'] }, /exclude each other/],
  [{ set: ['demo.enabled=false'] }, /no provider is set up/],
  [{ set: ['redis.mode=external'] }, /redis\.external\.existingSecret/],
  [{ set: ['redis.external.url=redis://here'] }, /redis\.mode to external/],
  [{ set: ['redis.mode=external', 'redis.external.url=http://here'] }, /redis.?.?external.?.?url/],
  [
    { set: ['redis.mode=external', 'redis.external.url=redis://a', 'redis.external.existingSecret=b'] },
    /exclude each other/,
  ],
  [
    { set: ['redis.mode=external', 'redis.external.url=redis://a', 'redis.external.passwordSecret.name=b'] },
    /\$\(REDIS_PASSWORD\)/,
  ],
  [{ set: ['redis.mode=external', 'redis.external.url=redis+sentinel://a'] }, /name of the master/],
  [{ set: ['ingress.terminationGracePeriodSeconds=600'] }, /at least 625 is needed/],
  [{ set: ['embedder.terminationGracePeriodSeconds=30'] }, /at least 65 is needed/],
  [{ set: ['ingress.autoscaling.enabled=true', 'ingress.autoscaling.targetCPUUtilizationPercentage=0'] }, /no target/],
  [{ set: ['ingress.autoscaling.enabled=true', 'ingress.autoscaling.minReplicas=20'] }, /above maxReplicas/],
  [
    { set: ['ingress.autoscaling.enabled=true', 'ingress.resources.requests.cpu=null'] },
    /ingress\.resources\.requests\.cpu/,
  ],
  [{ set: ['embedder.keda.enabled=true', 'embedder.autoscaling.enabled=true'] }, /exclude each other/],
  [{ set: ['embedder.keda.enabled=true', 'providerKeys.existingSecrets={a}'] }, /embedder\.keda\.providers/],
  [
    {
      set: [
        ...['embedder.keda.enabled=true', 'embedder.keda.providers={openai}'],
        ...['redis.mode=external', 'redis.external.existingSecret=a'],
      ],
    },
    /embedder\.keda\.redis\.addresses/,
  ],
  [
    {
      set: [
        ...['embedder.keda.enabled=true', 'embedder.keda.providers={openai}'],
        ...['redis.mode=external', 'redis.external.url=redis://u:p@host:6379'],
      ],
    },
    /embedder\.keda\.redis\.passwordSecret/,
  ],
  [{ set: ['embedder.autoscaling.targetCPUUtilizationPercentage=0'] }, /targetCPUUtilizationPercentage/],
  [{ set: ['expose.httpRoute.enabled=true'] }, /parentRefs/],
  [{ set: ['metrics.serviceMonitor.enabled=true', 'metrics.podMonitor.enabled=true'] }, /twice/],
  [{ set: ['metrics.serviceMonitor.enabled=true'], operator: false }, /needs the Prometheus Operator/],
  [{ set: ['metrics.prometheusRule.enabled=true'], operator: false }, /needs the Prometheus Operator/],
  [{ kubeVersion: '1.26.9' }, /kubeVersion/],
];

test('each is refused by helm 3 and helm 4', async () => {
  const { helms, missing } = findHelms();
  assert.equal(helms.length, 2, missing.join('; '));
  for (const helm of helms) {
    for (const [options, message] of REFUSED) {
      await assert.rejects(render(helm, options), (error) => {
        assert.ok(error instanceof HelmError, String(error));
        assert.match(error.message, message, JSON.stringify(options));
        return true;
      });
    }
  }
});
