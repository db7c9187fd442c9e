/**
 * The benchmark: this checkout's gateway beside HAProxy, nginx and Portkey, all on one core, one mock upstream, one load
 * generator on another core. README.md says how to read it. The table goes to stderr, one line of JSON to stdout and,
 * with every single round, into .headgate/bench/last.json.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PHASES } from './load/phases.ts';
import { wrkIsThere } from './load/wrk.ts';
import { chooseCores, describeMachine, pinSelf } from './machine.ts';
import { type Options, readOptions, TARGET_NAMES, type TargetName, USAGE } from './options.ts';
import { judge } from './report/goals.ts';
import { medians } from './report/medians.ts';
import { goalTable, NOT_MEASURED, ratiosToBase, ratioTable, remarks, valueTable } from './report/table.ts';
import { measureRounds } from './rounds.ts';
import { Children } from './targets/children.ts';
import { headgate } from './targets/headgate.ts';
import { portkey } from './targets/portkey.ts';
import { direct, haproxy, nginx } from './targets/proxies.ts';
import { type Bench, type Target, Unavailable } from './targets/target.ts';

const STATE = fileURLToPath(new URL('../../.headgate/bench', import.meta.url));
const MOCK_START_MS = 8000;
/** Start-ups, openings and pauses around one measurement, generously: what bounds a run that hangs. */
const OVERHEAD_S = 40;
const TYPICAL_OVERHEAD_S = 3;

const options = read();
if (options !== undefined) await main(options);

function read(): Options | undefined {
  try {
    const found = readOptions(process.argv.slice(2));
    if (found === undefined) process.stderr.write(USAGE);
    return found;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

async function main(options: Options): Promise<void> {
  const say = (text: string): void => {
    if (!options.jsonOnly) process.stderr.write(`${text}\n`);
  };
  if (process.platform !== 'linux') throw new Error('the benchmark reads /proc and pins processes: it needs Linux');
  const scratch = mkdtempSync(join(tmpdir(), 'headgate-bench-'));
  const logs = join(STATE, 'logs');
  rmSync(logs, { recursive: true, force: true });
  const children = new Children(logs);
  process.on('exit', () => {
    children.killAll();
    rmSync(scratch, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));
  boundTime(options);

  const notes: string[] = [];
  const note = (text: string): void => {
    notes.push(text);
    say(text);
  };
  const cores = chooseCores();
  if (children.pins) pinSelf(cores.load);
  else note('taskset is not on the PATH: nothing is pinned to a core, so the numbers say little');
  if (cores.gateway === cores.load)
    note('there is one core only: load and servers share it, so the numbers say little');
  const wrk = await wrkIsThere();
  if (!wrk)
    note('wrk is not on the PATH (apt-get install wrk): the closed loops run in Node, which limits them earlier');

  const mock = children.start({
    name: 'mock',
    core: cores.load,
    command: process.execPath,
    args: [fileURLToPath(new URL('mock/server.ts', import.meta.url))],
  });
  const mockPort = await mock.printedPort(MOCK_START_MS);
  const bench = { children, gatewayCore: cores.gateway, loadCore: cores.load, mockPort, scratch, state: STATE };
  const targets = await makeTargets(bench, options.targets, note, say);
  if (targets.length === 0) throw new Error('there is nothing to measure');
  say(`${describeMachine()}\n${targets.map(({ name, version }) => `${name}: ${version}`).join('\n')}`);
  say(plan(options, targets.length));

  const rounds = await measureRounds(targets, {
    ...options,
    wrk,
    warmUpRequests: 30_000,
    warmUpSeconds: 10,
    progress: (number, phase, target, measured) => {
      children.trimLogs();
      say(`round ${number} ${phase} ${target}: ${JSON.stringify(measured)}`);
    },
  });
  for (const target of targets) notes.push(...((await target.close?.()) ?? []));
  await children.stopAll();

  const middle = medians(rounds);
  const ratios = ratiosToBase(middle);
  const goals = judge(middle);
  const facts = [...notes, ...remarks(rounds, middle), ...NOT_MEASURED];
  const result = {
    at: new Date().toISOString(),
    machine: describeMachine(),
    versions: Object.fromEntries(targets.map(({ name, version }) => [name, version])),
    rounds: options.rounds,
    seconds: options.seconds,
    medians: middle,
    ratios_to_haproxy: ratios,
    goals,
    notes: facts,
  };
  say(`\n${valueTable(middle)}\n${ratioTable(ratios)}\n${goalTable(goals)}\n${facts.join('\n')}`);
  const single = Object.fromEntries([...rounds].map(([target, phases]) => [target, Object.fromEntries(phases)]));
  mkdirSync(STATE, { recursive: true });
  writeFileSync(join(STATE, 'last.json'), `${JSON.stringify({ ...result, measurements: single }, undefined, 1)}\n`);
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

async function makeTargets(
  bench: Bench,
  names: readonly TargetName[],
  note: (text: string) => void,
  say: (text: string) => void,
): Promise<Target[]> {
  const make: Record<TargetName, () => Target | Promise<Target>> = {
    headgate: () => headgate(bench),
    direct: () => direct(bench),
    haproxy: () => haproxy(bench),
    nginx: () => nginx(bench),
    portkey: () => portkey(bench, say),
  };
  const targets: Target[] = [];
  for (const name of TARGET_NAMES.filter((known) => names.includes(known))) {
    try {
      targets.push(await make[name]());
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      note(`without ${name}: ${error.message}`);
    }
  }
  return targets;
}

function plan({ rounds, seconds, phases }: Options, targets: number): string {
  const minutes = (rounds * phases.length * targets * (seconds + TYPICAL_OVERHEAD_S)) / 60;
  const list = phases.map((name) => `  ${name.padEnd(8)} ${PHASES[name].what}`).join('\n');
  return `${rounds} rounds of ${seconds} s, about ${Math.ceil(minutes)} minutes:\n${list}`;
}

function boundTime({ rounds, seconds, phases, targets }: Options): void {
  const limitS = 300 + rounds * phases.length * targets.length * (seconds + OVERHEAD_S);
  const end = (): void => {
    process.stderr.write(`the benchmark did not end within ${limitS} s\n`);
    process.exit(1);
  };
  setTimeout(end, limitS * 1000).unref();
}
