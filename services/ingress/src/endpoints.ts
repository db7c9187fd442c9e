import type { ModelEntry } from '@headgate/core/catalog';
import type { EndpointStatistics, HealthBoard, Uptime } from '@headgate/core/health';
import { endpointsDocument } from './endpoints-document.ts';
import type { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';

/** Statistics that take longer are left out: the configuration is worth an answer without them. */
const STATISTICS_MS = 300;

interface Statistics {
  readonly endpoints: ReadonlyMap<string, EndpointStatistics>;
  readonly models: ReadonlyMap<string, Uptime>;
}

const NO_STATISTICS: Statistics = { endpoints: new Map(), models: new Map() };

/** Answers with what is configured and measured of a model's endpoints; does not fail when Redis does. */
export async function answerEndpoints(exchange: Exchange, { health }: Gateway, model: ModelEntry): Promise<void> {
  try {
    const statistics = await statisticsOf(health, model);
    const described = new Map(health.describe().map((endpoint) => [endpoint.endpointKey, endpoint]));
    const document = endpointsDocument(model, {
      now: health.view().now,
      described,
      statistics: statistics.endpoints,
      uptime: statistics.models.get(model.id),
    });
    exchange.answerJson(200, JSON.stringify(document));
  } catch (thrown) {
    exchange.refuseThrown(thrown);
  }
}

async function statisticsOf(health: HealthBoard, model: ModelEntry): Promise<Statistics> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Statistics>((resolve) => {
    timer = setTimeout(resolve, STATISTICS_MS, NO_STATISTICS);
  });
  const keys = model.endpoints.map(({ key }) => key);
  const asked = Promise.all([health.statistics(keys), health.modelUptime([model.id])]).then(
    ([endpoints, models]): Statistics => ({ endpoints, models }),
    () => NO_STATISTICS,
  );
  const statistics = await Promise.race([asked, late]);
  clearTimeout(timer);
  return statistics;
}
