/** What every pod of the chart has to keep: the restricted Pod Security standard, and our own rules for running well. */
import type { Manifest } from './render.ts';
import { type Container, type Workload, workloads } from './shapes.ts';

const VOLUMES = ['configMap', 'secret', 'emptyDir', 'projected', 'persistentVolumeClaim'];

export function policyFaults(manifests: readonly Manifest[]): string[] {
  return workloads(manifests).flatMap((one) => [
    ...podFaults(one).map((fault) => `${one.kind}/${one.name}: ${fault}`),
    ...[...one.template.spec.containers, ...(one.template.spec.initContainers ?? [])].flatMap((container) =>
      containerFaults(container).map((fault) => `${one.kind}/${one.name}/${container.name}: ${fault}`),
    ),
    ...one.template.spec.containers
      .filter(() => one.kind !== 'Pod')
      .flatMap((container) => probeFaults(container).map((fault) => `${one.kind}/${one.name}: ${fault}`)),
  ]);
}

function podFaults({ template: { spec } }: Workload): string[] {
  const faults: string[] = [];
  if (spec.securityContext?.runAsNonRoot !== true) faults.push('runAsNonRoot is not true');
  if (spec.securityContext?.runAsUser === 0) faults.push('runs as root');
  if (spec.securityContext?.seccompProfile?.type !== 'RuntimeDefault') faults.push('no seccomp profile');
  if (spec.automountServiceAccountToken !== false) faults.push('has a token for the Kubernetes API');
  if (spec.hostNetwork || spec.hostPID || spec.hostIPC) faults.push('shares namespaces of the host');
  for (const { name, ...source } of spec.volumes ?? []) {
    if (!Object.keys(source).every((kind) => VOLUMES.includes(kind))) {
      faults.push(`volume ${name} is of a kind that the restricted standard does not know`);
    }
  }
  return faults;
}

function containerFaults({ image, env = [], resources, securityContext }: Container): string[] {
  const faults: string[] = [];
  if (securityContext?.allowPrivilegeEscalation !== false) faults.push('privileges can be raised');
  if (securityContext?.privileged === true) faults.push('is privileged');
  if (securityContext?.readOnlyRootFilesystem !== true) faults.push('the root file system can be written');
  if (!securityContext?.capabilities?.drop?.includes('ALL')) faults.push('keeps capabilities');
  if ((securityContext?.capabilities?.add ?? []).length > 0) faults.push('adds capabilities');
  if (!resources?.requests?.cpu || !resources.requests.memory) faults.push('requests no CPU or no memory');
  if (!resources?.limits?.memory) faults.push('has no memory limit');
  if (resources?.limits?.cpu) faults.push('has a CPU limit, which throttles streams');
  if (!/@sha256:[0-9a-f]{64}$|:[\w.-]+$/.test(image) || /:latest$/.test(image))
    faults.push(`image ${image} has no tag`);
  const names = env.map(({ name }) => name);
  for (const name of new Set(names)) {
    // Applying on the server's side refuses the second one.
    if (names.filter((one) => one === name).length > 1) faults.push(`${name} is set twice`);
  }
  for (const [index, { name, value }] of env.entries()) {
    for (const [, used = ''] of (value ?? '').matchAll(/\$\((\w+)\)/g)) {
      if (!names.slice(0, index).includes(used))
        faults.push(`${name} names $(${used}), which does not stand before it`);
    }
    if (/SECRET|PASSWORD|TOKEN|API_KEY/.test(name) && value !== undefined) faults.push(`${name} stands in the clear`);
  }
  return faults;
}

function probeFaults({ name, ports = [], startupProbe, readinessProbe, livenessProbe }: Container): string[] {
  const faults: string[] = [];
  for (const [kind, probe] of Object.entries({ startupProbe, readinessProbe, livenessProbe })) {
    if (probe === undefined) {
      faults.push(`${name} has no ${kind}`);
      continue;
    }
    const port = probe.httpGet?.port ?? probe.tcpSocket?.port;
    if (port !== undefined && !ports.some((one) => one.name === port))
      faults.push(`${kind} asks port ${port}, not there`);
  }
  return faults;
}
