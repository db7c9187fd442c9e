/** The parts of Kubernetes objects that the checks read. */
import type { Manifest } from './render.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Reference {
  readonly name: string;
  readonly key?: string;
  readonly optional?: boolean;
}

export interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef?: Reference; readonly configMapKeyRef?: Reference };
}

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number };
  readonly tcpSocket?: { readonly port: string | number };
  readonly exec?: { readonly command: readonly string[] };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly Variable[];
  readonly envFrom?: readonly { readonly secretRef?: Reference; readonly configMapRef?: Reference }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources?: { readonly requests?: Labels; readonly limits?: Labels };
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly privileged?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly subPath?: string }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
}

export interface Volume {
  readonly name: string;
  readonly configMap?: Reference;
  readonly secret?: { readonly secretName: string };
  readonly emptyDir?: object;
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly projected?: object;
}

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly topologySpreadConstraints?: readonly object[];
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean;
    readonly runAsUser?: number;
    readonly seccompProfile?: { readonly type: string };
  };
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
}

export interface PodTemplate {
  readonly metadata: { readonly labels: Labels; readonly annotations?: Labels };
  readonly spec: PodSpec;
}

/** A Deployment, a StatefulSet, or a Pod as if it were one. */
export interface Workload {
  readonly kind: string;
  readonly name: string;
  readonly replicas: number | undefined;
  readonly matchLabels: Labels;
  readonly template: PodTemplate;
  readonly claims: readonly string[];
}

interface WorkloadSpec {
  readonly replicas?: number;
  readonly selector: { readonly matchLabels: Labels };
  readonly template: PodTemplate;
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
}

export function workloads(manifests: readonly Manifest[]): Workload[] {
  return manifests.flatMap((manifest): Workload[] => {
    const { kind, metadata } = manifest;
    if (kind === 'Pod') {
      const labels = metadata.labels ?? {};
      const template = { metadata: { labels }, spec: manifest.spec as PodSpec };
      return [{ kind, name: metadata.name, replicas: undefined, matchLabels: labels, template, claims: [] }];
    }
    if (kind !== 'Deployment' && kind !== 'StatefulSet') return [];
    const { replicas, selector, template, volumeClaimTemplates = [] } = manifest.spec as WorkloadSpec;
    const claims = volumeClaimTemplates.map((claim) => claim.metadata.name);
    return [{ kind, name: metadata.name, replicas, matchLabels: selector.matchLabels, template, claims }];
  });
}

export function workload(manifests: readonly Manifest[], component: string): Workload {
  const found = workloads(manifests).find(
    ({ template }) => template.metadata.labels['app.kubernetes.io/component'] === component,
  );
  if (found === undefined) throw new Error(`no workload is the ${component}`);
  return found;
}

export function container(manifests: readonly Manifest[], component: string): Container {
  const found = workload(manifests, component).template.spec.containers.find(({ name }) => name === component);
  if (found === undefined) throw new Error(`the ${component} has no container of that name`);
  return found;
}

export function only(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name));
  const [one] = found;
  if (one === undefined || found.length > 1) throw new Error(`${found.length} objects are a ${kind} ${name ?? ''}`);
  return one;
}

export const selects = (selector: Labels, labels: Labels): boolean =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);
