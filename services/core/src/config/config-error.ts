/** One thing that is wrong with the configuration. */
export interface ConfigIssue {
  /** Dotted path inside the file, or the name of an environment variable; empty for the file as a whole. */
  readonly path: string;
  /** 1-based; null when the issue has no place in a file. */
  readonly line: number | null;
  readonly column: number | null;
  /** Says what was found and what is expected; never shows a secret. */
  readonly message: string;
}

/** A configuration that cannot be used; lists every issue at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** Null when the configuration comes from the environment alone. */
  readonly file: string | null;
  readonly issues: readonly ConfigIssue[];

  constructor(file: string | null, issues: readonly ConfigIssue[]) {
    const inOrder = [...issues].sort(byPlace);
    super(describe(file, inOrder));
    this.file = file;
    this.issues = inOrder;
  }
}

/** As a reader meets them; what has no place in the file comes first. */
function byPlace(a: ConfigIssue, b: ConfigIssue): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

function describe(file: string | null, issues: readonly ConfigIssue[]): string {
  const count = issues.length === 1 ? '1 problem' : `${issues.length} problems`;
  const subject = file === null ? 'The configuration' : file;
  return [`${subject} cannot be used (${count}):`, ...issues.map((issue) => `  ${issueLine(file, issue)}`)].join('\n');
}

/** `file:line:column path: message` */
export function issueLine(file: string | null, issue: ConfigIssue): string {
  const place = file === null || issue.line === null ? null : `${file}:${issue.line}:${issue.column ?? 1}`;
  const subject = [place, issue.path].filter((part) => part !== null && part !== '').join(' ');
  return subject === '' ? issue.message : `${subject}: ${issue.message}`;
}
