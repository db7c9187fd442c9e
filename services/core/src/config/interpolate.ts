export type Environment = Readonly<Record<string, string | undefined>>;

export type Interpolated =
  | { readonly ok: true; readonly text: string; readonly variables: readonly string[] }
  | { readonly ok: false; readonly reason: string };

const REFERENCE = /\$\$\{|\$\{([^}]*)\}|\$\{/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;

/**
 * Replaces `${NAME}` and `${NAME:-default}` (taken when the variable is unset or empty) in one text; `$${` stands for a
 * literal `${`. Values are taken as they are: a `${` inside one is not looked at again.
 */
export function interpolate(source: string, env: Environment): Interpolated {
  if (!source.includes('${')) return { ok: true, text: source, variables: [] };
  const variables: string[] = [];
  let reason: string | null = null;
  const text = source.replace(REFERENCE, (match: string, inside: string | undefined) => {
    if (match === '$${') return '${';
    const parts = inside === undefined ? null : VARIABLE.exec(inside);
    const name = parts?.[1];
    if (parts === null || name === undefined) {
      reason ??= `found the malformed reference "${match}", expected \${NAME} or \${NAME:-default} (write $\${ for a literal \${)`;
      return match;
    }
    const value = env[name];
    const fallback = parts[2];
    if (fallback !== undefined) {
      if (value === undefined || value === '') return fallback;
    } else if (value === undefined) {
      reason ??= `the environment variable ${name} is not set; set it, or give a default with \${${name}:-default}`;
      return match;
    }
    variables.push(name);
    return value;
  });
  return reason === null ? { ok: true, text, variables } : { ok: false, reason };
}
