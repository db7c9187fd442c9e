/** Whether everything that one object names is there: in the render, or, where users bring it, in their values. */
import type { Manifest } from './render.ts';
import { type Labels, type Reference, selects, type Workload, workloads } from './shapes.ts';

interface ServiceSpec {
  readonly selector: Labels;
  readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: string | number }[];
}

/** @param values the text of the values file: what it names is the user's own */
export function referenceFaults(manifests: readonly Manifest[], values: string): string[] {
  const faults: string[] = [];
  const mine = (name: string) => new RegExp(`(^|[^\\w-])${name.replaceAll('.', '\\.')}($|[^\\w-])`, 'm').test(values);
  const find = (kind: string, name: string) => manifests.find((one) => one.kind === kind && one.metadata.name === name);
  const all = workloads(manifests);

  const keyed = (who: string, kind: 'Secret' | 'ConfigMap', reference: Reference) => {
    const target = find(kind, reference.name);
    if (target === undefined) {
      if (!mine(reference.name)) faults.push(`${who} names the ${kind} ${reference.name}, which is nowhere`);
    } else if (reference.key !== undefined) {
      const data = { ...(target.data as object | undefined), ...(target.stringData as object | undefined) };
      if (!Object.hasOwn(data, reference.key)) faults.push(`${who}: ${kind} ${reference.name} has no ${reference.key}`);
    }
  };

  for (const one of all) podReferences(one);
  function podReferences({ kind, name, matchLabels, template: { metadata, spec }, claims }: Workload): void {
    const who = `${kind}/${name}`;
    if (!selects(matchLabels, metadata.labels)) faults.push(`${who} does not select its own pods`);
    const account = spec.serviceAccountName ?? 'default';
    if (account !== 'default' && !find('ServiceAccount', account) && !mine(account)) {
      faults.push(`${who} names the ServiceAccount ${account}, which is nowhere`);
    }
    const volumes = new Set([...(spec.volumes ?? []).map((volume) => volume.name), ...claims]);
    for (const volume of spec.volumes ?? []) {
      if (volume.configMap) keyed(who, 'ConfigMap', volume.configMap);
      if (volume.secret) keyed(who, 'Secret', { name: volume.secret.secretName });
    }
    const mounted = new Set<string>();
    for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
      for (const { name: variable, valueFrom } of container.env ?? []) {
        if (valueFrom?.secretKeyRef) keyed(`${who} ${variable}`, 'Secret', valueFrom.secretKeyRef);
        if (valueFrom?.configMapKeyRef) keyed(`${who} ${variable}`, 'ConfigMap', valueFrom.configMapKeyRef);
      }
      for (const { secretRef, configMapRef } of container.envFrom ?? []) {
        if (secretRef) keyed(who, 'Secret', secretRef);
        if (configMapRef) keyed(who, 'ConfigMap', configMapRef);
      }
      for (const { name: volume, subPath } of container.volumeMounts ?? []) {
        mounted.add(volume);
        if (!volumes.has(volume)) faults.push(`${who} mounts ${volume}, which is no volume`);
        if (subPath !== undefined) faults.push(`${who} mounts a subPath, whose content never changes`);
      }
    }
    for (const volume of volumes) if (!mounted.has(volume)) faults.push(`${who}: nobody mounts the volume ${volume}`);
  }

  const portsOf = (selected: readonly Workload[]) =>
    new Set(
      selected.flatMap((one) => one.template.spec.containers.flatMap(({ ports = [] }) => ports.map((p) => p.name))),
    );
  const selected = (selector: Labels) => all.filter((one) => selects(selector, one.template.metadata.labels));

  for (const manifest of manifests) {
    const who = `${manifest.kind}/${manifest.metadata.name}`;
    const spec = manifest.spec as Readonly<Record<string, unknown>>;
    if (manifest.kind === 'Service') {
      const { selector, ports } = spec as unknown as ServiceSpec;
      const found = selected(selector);
      if (found.length !== 1) faults.push(`${who} selects ${found.length} workloads`);
      for (const { targetPort } of ports) {
        if (!portsOf(found).has(String(targetPort)))
          faults.push(`${who} goes to port ${targetPort}, which is not there`);
      }
    } else if (manifest.kind === 'PodDisruptionBudget') {
      const found = selected((spec.selector as { matchLabels: Labels }).matchLabels);
      if (found.length !== 1) faults.push(`${who} selects ${found.length} workloads`);
    } else if (manifest.kind === 'HorizontalPodAutoscaler' || manifest.kind === 'ScaledObject') {
      const target = spec.scaleTargetRef as { kind: string; name: string };
      const found = all.find((one) => one.kind === target.kind && one.name === target.name);
      if (found === undefined) faults.push(`${who} scales ${target.kind}/${target.name}, which is not there`);
      else if (found.replicas !== undefined)
        faults.push(`${who} and ${target.name} both say how many replicas there are`);
      for (const trigger of (spec.triggers as { authenticationRef?: { name: string } }[] | undefined) ?? []) {
        const name = trigger.authenticationRef?.name;
        if (name !== undefined && !find('TriggerAuthentication', name)) faults.push(`${who}: ${name} is not there`);
      }
    } else if (manifest.kind === 'TriggerAuthentication') {
      for (const { name, key } of spec.secretTargetRef as Reference[]) {
        keyed(who, 'Secret', key === undefined ? { name } : { name, key });
      }
    } else if (manifest.kind === 'HTTPRoute' || manifest.kind === 'Ingress') {
      for (const { name, port } of backends(manifest)) {
        const ports = (find('Service', name)?.spec as ServiceSpec | undefined)?.ports ?? [];
        const there = ports.some((one) => one.port === port || one.name === port);
        if (!there) faults.push(`${who} goes to ${name}:${port}, which is not there`);
      }
    } else if (manifest.kind === 'NetworkPolicy') {
      const found = selected((spec.podSelector as { matchLabels: Labels }).matchLabels);
      if (found.length !== 1) faults.push(`${who} is of ${found.length} workloads`);
      for (const { ports = [] } of (spec.ingress as { ports?: { port: string | number }[] }[] | null) ?? []) {
        const numbers = found.flatMap((one) => one.template.spec.containers.flatMap((c) => c.ports ?? []));
        for (const { port } of ports) {
          if (!numbers.some((one) => one.name === port || one.containerPort === port))
            faults.push(`${who}: no port ${port}`);
        }
      }
    } else if (manifest.kind === 'ServiceMonitor') {
      const { selector, endpoints } = spec as {
        selector: { matchLabels: Labels };
        endpoints: { port: string; honorLabels?: boolean }[];
      };
      const services = manifests.filter(
        (one) => one.kind === 'Service' && selects(selector.matchLabels, one.metadata.labels ?? {}),
      );
      if (services.length !== 1) faults.push(`${who} selects ${services.length} Services`);
      for (const { port, honorLabels } of endpoints) {
        // Rules and dashboards ask for our own label "service", and the operator has one of that name.
        if (honorLabels !== true) faults.push(`${who} puts its own labels over ours`);
        const there = services.some((one) => (one.spec as ServiceSpec).ports.some(({ name }) => name === port));
        if (!there) faults.push(`${who} scrapes port ${port}, which is not there`);
      }
    }
  }
  return faults;
}

function backends({ kind, spec }: Manifest): { name: string; port: number | string | undefined }[] {
  if (kind === 'HTTPRoute') {
    const { rules } = spec as { rules: { backendRefs: { name: string; port: number }[] }[] };
    return rules.flatMap(({ backendRefs }) => backendRefs);
  }
  type Path = { backend: { service: { name: string; port: { name?: string; number?: number } } } };
  const { rules } = spec as { rules: { http: { paths: Path[] } }[] };
  return rules.flatMap(({ http }) =>
    http.paths.map(({ backend: { service } }) => ({
      name: service.name,
      port: service.port.name ?? service.port.number,
    })),
  );
}
