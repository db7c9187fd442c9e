import { closedLoop } from './load/closed-loop.ts';
import { type Measurement, round } from './load/meter.ts';
import { PHASES, type PhaseName, type PhaseOptions } from './load/phases.ts';
import { streams } from './load/streams.ts';
import type { Instance, Target } from './targets/target.ts';

export interface RoundOptions extends PhaseOptions {
  readonly rounds: number;
  readonly phases: readonly PhaseName[];
  /** A target is warm after so many requests, or after so many seconds. */
  readonly warmUpRequests: number;
  readonly warmUpSeconds: number;
  /** Called after each measurement. */
  progress(round: number, phase: PhaseName, target: string, measured: Measurement): void;
}

/** All measurements: target -> phase -> one per round. */
export type Rounds = Map<string, Map<PhaseName, Measurement[]>>;

/**
 * Measures every phase on one target after the other, round by round: what disturbs the machine for a while disturbs
 * all targets alike. Every other round goes backwards, so that none always follows the same neighbour.
 */
export async function measureRounds(targets: readonly Target[], options: RoundOptions): Promise<Rounds> {
  const found: Rounds = new Map(targets.map(({ name }) => [name, new Map()]));
  const running = new Map<Target, Instance>();
  try {
    for (const target of targets) running.set(target, await startWarm(target, options));
    for (let number = 1; number <= options.rounds; number++) {
      for (const phase of options.phases) {
        for (const target of number % 2 === 1 ? targets : targets.toReversed()) {
          const instance = running.get(target);
          if (instance === undefined) continue;
          const measured = await measure(target, instance, phase, options);
          const phases = found.get(target.name);
          phases?.set(phase, [...(phases.get(phase) ?? []), measured]);
          options.progress(number, phase, target.name, measured);
        }
      }
    }
  } finally {
    await Promise.all([...running.values()].map((instance) => instance.stop()));
  }
  return found;
}

async function measure(target: Target, warm: Instance, phase: PhaseName, options: RoundOptions): Promise<Measurement> {
  if (!PHASES[phase].fresh) return runPhase(warm, phase, options);
  const fresh = await startFresh(target);
  try {
    return await runPhase(fresh, phase, options);
  } finally {
    await fresh.stop();
  }
}

async function runPhase(instance: Instance, phase: PhaseName, options: RoundOptions): Promise<Measurement> {
  const before = await instance.redisCommands?.();
  const measured = await PHASES[phase].run(instance.endpoint, options);
  const after = await instance.redisCommands?.();
  const { requests } = measured;
  if (before === undefined || after === undefined || requests === undefined || requests === 0) return measured;
  // One of them was the question itself.
  return { ...measured, redis_commands_req: round(Math.max(0, after - before - 1) / requests, 4) };
}

/** A process of its own is measured for its memory, so it only gets what opens its connections and loads its code. */
async function startFresh(target: Target): Promise<Instance> {
  const instance = await target.start();
  await closedLoop(instance.endpoint, { connections: 16, seconds: 1 });
  return instance;
}

/** Counted in requests and not in seconds: a compiler that optimises what runs often needs runs, however busy the machine. */
async function startWarm(target: Target, { warmUpRequests, warmUpSeconds }: RoundOptions): Promise<Instance> {
  const instance = await target.start();
  let requests = 0;
  for (let second = 0; second < warmUpSeconds && requests < warmUpRequests; second++) {
    const slice = await closedLoop(instance.endpoint, { connections: 64, seconds: 1 });
    requests += slice.requests ?? 0;
  }
  await streams(instance.endpoint, { streams: 32, seconds: 1, chunks: 50, intervalMs: 0 });
  return instance;
}
