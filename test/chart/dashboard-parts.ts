/** What the definitions of Grafana dashboards are made of. */

export interface Query {
  readonly expr: string;
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  readonly description?: string;
  /** Grafana's name of a unit. */
  readonly unit: string;
  readonly kind?: 'timeseries' | 'stat' | 'table' | 'bargauge' | 'text';
  /** Of 24 columns; default 12. */
  readonly width?: number;
  readonly queries: readonly Query[];
  /** Markdown, of a text. */
  readonly text?: string;
  readonly stacked?: boolean;
}

export interface Variable {
  readonly name: string;
  readonly label: string;
  /** label_values(METRIC, LABEL) */
  readonly metric: string;
  readonly of: string;
}

export interface Dashboard {
  /** Name of the file. */
  readonly name: string;
  readonly title: string;
  readonly variables?: readonly Variable[];
  readonly panels: readonly Panel[];
}

export const MODEL: Variable = {
  name: 'model',
  label: 'Model',
  metric: 'gateway_tokens_total',
  of: 'gen_ai_request_model',
};
export const PROVIDER: Variable = {
  name: 'provider',
  label: 'Provider',
  metric: 'gateway_upstream_attempts_total',
  of: 'gateway_provider',
};

/** Every expression is of the namespace that is chosen; `%` is where that stands. */
export const q = (legend: string, expr: string): Query => ({
  legend,
  expr: expr.replaceAll('%', 'namespace=~"$namespace"'),
});

/** Quantiles of a histogram by a label. */
export const quantiles = (
  metric: string,
  by: string,
  filter: string,
  of: readonly number[] = [0.5, 0.95, 0.99],
): Query[] =>
  of.map((quantile) =>
    q(
      `{{${by}}} p${quantile * 100}`,
      `histogram_quantile(${quantile}, sum by (le, ${by}) (rate(${metric}_bucket{%${filter}}[$__rate_interval])))`,
    ),
  );

export const OF_MODEL = ',gen_ai_request_model=~"$model"';
export const OF_PROVIDER = ',gateway_provider=~"$provider"';
