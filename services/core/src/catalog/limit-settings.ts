import type { MessageInitShape } from '@bufbuild/protobuf';
import type { LimitSettings, LimitSettingsSchema, OidcIssuer, OidcIssuerSchema } from '@headgate/proto/snapshot';
import type { Config } from '../config/index.ts';
import { budgetMessage, limitsMessage, toBudget, toLimits } from './limit-messages.ts';
import type { LimitPolicy, OidcIssuerEntry } from './limit-policy.ts';

/** The `limits` section of headgate.yaml, for the snapshot. */
export function limitSettings({ limits }: Config): MessageInitShape<typeof LimitSettingsSchema> {
  return {
    groups: Object.fromEntries(
      Object.entries(limits.groups).map(([name, { budget, ...rest }]) => [
        name,
        { limits: limitsMessage(rest), ...(budget === undefined ? {} : { budget: budgetMessage(budget) }) },
      ]),
    ),
    ...(limits.users === undefined ? {} : { users: limitsMessage(limits.users) }),
    models: Object.entries(limits.models).map(([pattern, rest]) => ({ pattern, limits: limitsMessage(rest) })),
    providers: Object.fromEntries(Object.entries(limits.providers).map(([name, rest]) => [name, limitsMessage(rest)])),
  };
}

export function limitPolicy(settings: LimitSettings | undefined, onRedisLoss: string): LimitPolicy {
  return {
    onRedisLoss: onRedisLoss === 'deny' ? 'deny' : 'allow',
    groups: new Map(
      Object.entries(settings?.groups ?? {}).map(([name, group]) => [
        name,
        { limits: toLimits(group.limits), budget: toBudget(group.budget) },
      ]),
    ),
    users: settings?.users === undefined ? null : toLimits(settings.users),
    models: (settings?.models ?? []).map(({ pattern, limits }) => ({ pattern, limits: toLimits(limits) })),
    providers: new Map(Object.entries(settings?.providers ?? {}).map(([name, limits]) => [name, toLimits(limits)])),
  };
}

/** The OIDC issuers of headgate.yaml, for the snapshot. */
export function oidcSettings({ auth }: Config): MessageInitShape<typeof OidcIssuerSchema>[] {
  return auth.oidc.map(({ limits, budget, ...issuer }) => ({
    issuer: issuer.issuer,
    audience: issuer.audience,
    subjectClaim: issuer.subjectClaim,
    nameClaim: issuer.nameClaim ?? '',
    groupClaim: issuer.groupClaim ?? '',
    modelsClaim: issuer.modelsClaim ?? '',
    models: issuer.models ?? [],
    algorithms: issuer.algorithms ?? [],
    jwksUri: issuer.jwksUri ?? '',
    clockToleranceSeconds: issuer.clockToleranceSeconds,
    ...(limits === undefined ? {} : { limits: limitsMessage(limits) }),
    ...(budget === undefined ? {} : { budget: budgetMessage(budget) }),
  }));
}

/** What issuers sign with unless the operator says otherwise. */
const USUAL_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];

export function oidcIssuer(issuer: OidcIssuer): OidcIssuerEntry {
  return {
    issuer: issuer.issuer,
    audience: issuer.audience,
    subjectClaim: issuer.subjectClaim || 'sub',
    nameClaim: issuer.nameClaim,
    groupClaim: issuer.groupClaim,
    modelsClaim: issuer.modelsClaim,
    models: issuer.models,
    algorithms: issuer.algorithms.length === 0 ? USUAL_ALGORITHMS : issuer.algorithms,
    jwksUri: issuer.jwksUri,
    clockToleranceSeconds: issuer.clockToleranceSeconds,
    limits: toLimits(issuer.limits),
    budget: toBudget(issuer.budget),
  };
}
