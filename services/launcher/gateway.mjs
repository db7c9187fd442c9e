import { existsSync } from 'node:fs';
import path from 'node:path';
import { lastLines, run } from './command.mjs';
import { startRedis } from './embedded-redis.mjs';
import { Failure } from './failure.mjs';
import { waitUntilReady } from './ready.mjs';
import { Service } from './service.mjs';

/** The order in which services stop: first the one that has clients, last the one that all others need. */
const STOP_ORDER = ['ingress', 'embedder', 'control', 'simulator', 'redis'];
/** Open streams may end by themselves for so long, unless the environment says otherwise; a second Ctrl-C cuts it short. */
const DRAIN_SECONDS = 25;
/** So much longer a service has before it is ended by force. */
const EXTRA_GRACE_MS = 5_000;
const SIMULATOR_TIMEOUT_MS = 15_000;

/**
 * What control says of the configuration it would run with.
 *
 * @typedef {object} Description
 * @property {string} host
 * @property {number} port
 * @property {string | null} redisUrl        null: nothing names a Redis, so the launcher brings one
 * @property {string | null} configFile
 * @property {boolean} simulated             no provider is set up, so the simulator stands in
 * @property {string[]} providers
 * @property {string} exampleModel          empty where no model is set up
 */

/** @typedef {{ why: 'signal' } | { why: 'died', service: Service }} Ending */

/** The services of one running gateway. */
export class Gateway {
  /**
   * @param {object} setting
   * @param {import('./checkout.mjs').Checkout} setting.checkout
   * @param {string} setting.node
   * @param {NodeJS.ProcessEnv} setting.env         what each service gets
   * @param {NodeJS.ProcessEnv} setting.controlEnv  what control gets besides: the admin token is nobody else's concern
   * @param {boolean} setting.verbose
   */
  constructor({ checkout, node, env, controlEnv, verbose }) {
    this.checkout = checkout;
    this.node = node;
    /** @type {NodeJS.ProcessEnv} */
    this.env = { HEADGATE_DRAIN_TIMEOUT_SECONDS: String(DRAIN_SECONDS), ...env };
    this.controlEnv = controlEnv;
    this.verbose = verbose;
    /** @type {Service[]} */
    this.services = [];
    this.stopping = false;
    /** @type {(ending: Ending) => void} */
    this.end = () => {};
    /** @type {Promise<Ending>} resolves when it has to stop */
    this.ending = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  /** @returns {Promise<Description>} */
  async describe() {
    const args = ['-C', 'source', path.join('services', 'control', 'src', 'describe.ts')];
    const outcome = await run(this.node, args, { cwd: this.checkout.root, env: this.env });
    if (outcome.code !== 0) throw new Failure(outcome.output.trim(), outcome.code);
    return JSON.parse(outcome.stdout.trim().split('\n').at(-1) ?? '');
  }

  /**
   * Starts everything and waits until the gateway is ready.
   *
   * @param {Description} description
   * @param {() => Promise<import('./redis.mjs').RedisProgram>} redisProgram  asked for only where one is needed
   */
  async start(description, redisProgram) {
    const { adopt, onUnexpectedExit } = this;
    const [redisUrl, simulatorUrl] = await Promise.all([
      description.redisUrl ??
        redisProgram().then((program) =>
          startRedis({
            checkout: this.checkout,
            program,
            env: this.env,
            verbose: this.verbose,
            adopt,
            onUnexpectedExit,
          }),
        ),
      description.simulated ? this.startSimulator() : undefined,
    ]);
    this.env = {
      ...this.env,
      REDIS_URL: redisUrl,
      HEADGATE_PORT: String(description.port),
      ...(simulatorUrl && { HEADGATE_SIMULATOR_URL: simulatorUrl }),
    };
    this.startService('control', { env: this.controlEnv });
    if (this.has('embedder')) this.startService('embedder');
    this.startService('ingress');
    await waitUntilReady(description, () =>
      this.services
        .filter(({ name }) => name === 'ingress' || name === 'control')
        .map((service) => `  ${service.logFile}:\n${lastLines(service.lastLines.join('\n'), 10)}`),
    );
  }

  /** @param {string} name */
  has(name) {
    return existsSync(path.join(this.checkout.root, mainOf(name)));
  }

  adopt = (/** @type {Service} */ service) => {
    this.services.push(service);
    if (this.stopping) service.kill();
  };

  onUnexpectedExit = (/** @type {Service} */ service) => {
    this.end({ why: 'died', service });
  };

  /**
   * @param {string} name
   * @param {{ args?: string[], env?: NodeJS.ProcessEnv, onLine?: (line: string) => void }} [options]
   * @returns {Service}
   */
  startService(name, { args = [], env = {}, onLine } = {}) {
    const service = new Service({
      name,
      program: this.node,
      args: ['-C', 'source', mainOf(name), ...args],
      cwd: this.checkout.root,
      env: { ...this.env, ...env },
      logs: this.checkout.logs,
      verbose: this.verbose,
      onUnexpectedExit: this.onUnexpectedExit,
      ...(onLine && { onLine }),
    });
    this.adopt(service);
    return service;
  }

  /** @returns {Promise<string>} the base URL of its OpenAI dialect */
  startSimulator() {
    return new Promise((resolve, reject) => {
      const service = this.startService('simulator', {
        args: ['--port', '0'],
        onLine: (line) => {
          const origin = listeningOrigin(line);
          if (origin === undefined) return;
          clearTimeout(timer);
          resolve(`${origin}/v1`);
        },
      });
      const timer = setTimeout(() => {
        reject(
          new Failure(`The simulator did not say where it listens:\n${lastLines(service.lastLines.join('\n'), 15)}`),
        );
      }, SIMULATOR_TIMEOUT_MS);
    });
  }

  /** Stops the services one after the other, each when those that need it are gone. */
  async stop() {
    this.stopping = true; // what is still being started ends at once
    const graceMs = Number(this.env.HEADGATE_DRAIN_TIMEOUT_SECONDS) * 1000 + EXTRA_GRACE_MS;
    for (const name of STOP_ORDER) {
      await Promise.all(
        this.services.filter((service) => service.name === name).map((service) => service.stop(graceMs)),
      );
    }
  }

  /** Ends all of it at once. */
  kill() {
    for (const service of this.services) service.kill();
  }
}

/** @param {string} name */
function mainOf(name) {
  return path.join('services', name, 'src', 'main.ts');
}

/**
 * @param {string} line
 * @returns {string | undefined}
 */
function listeningOrigin(line) {
  try {
    const { listening } = JSON.parse(line);
    return typeof listening === 'string' ? listening : undefined;
  } catch {
    return undefined;
  }
}
