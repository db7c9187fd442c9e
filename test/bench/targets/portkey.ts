import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@headgate/core/testing/port';
import { type Bench, type Target, Unavailable } from './target.ts';

const VERSION = '1.15.2';
// From 1.14.0 of this server on, Portkey answers every stream with 500: it appends to headers that are immutable there.
const NODE_SERVER_VERSION = '1.13.8';
const START_MS = 20_000;
const INSTALL_MS = 240_000;

/** Portkey's gateway from npm, installed once into the git-ignored state folder. */
export async function portkey(bench: Bench, say: (text: string) => void): Promise<Target> {
  const folder = join(bench.state, 'peers');
  const script = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  await install(folder, script, say);
  return {
    name: 'portkey',
    version: `@portkey-ai/gateway ${VERSION}`,
    start: async () => {
      const port = await freePort();
      const child = bench.children.start({
        name: `portkey-${port}`,
        core: bench.gatewayCore,
        command: process.execPath,
        args: [script, `--port=${port}`, '--headless'],
        env: { NODE_ENV: 'production' },
        cwd: folder,
      });
      await child.listens(port, START_MS);
      const headers = {
        'x-portkey-provider': 'openai',
        'x-portkey-custom-host': `http://127.0.0.1:${bench.mockPort}/v1`,
      };
      const endpoint = { port, model: 'mock', key: 'unused', headers, pid: child.pid, loadCore: bench.loadCore };
      return { endpoint, stop: () => child.stop() };
    },
  };
}

async function install(folder: string, script: string, say: (text: string) => void): Promise<void> {
  const manifest = JSON.stringify(
    {
      name: 'headgate-bench-peers',
      private: true,
      dependencies: { '@portkey-ai/gateway': VERSION },
      overrides: { '@hono/node-server': NODE_SERVER_VERSION },
    },
    undefined,
    2,
  );
  const file = join(folder, 'package.json');
  if (existsSync(script) && existsSync(file) && readFileSync(file, 'utf8') === manifest) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, manifest);
  say(`installing @portkey-ai/gateway ${VERSION} into ${folder} (once) ...`);
  try {
    const args = ['install', '--legacy-peer-deps', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
    await promisify(execFile)('npm', args, { cwd: folder, env: withoutNpmRun(), timeout: INSTALL_MS });
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 600) : String(error);
    throw new Unavailable(`npm could not install it (${reason}); leave it out with --without portkey`);
  }
}

/** The environment without what `npm run` adds: an npm inside would take the outer project for its own. */
function withoutNpmRun(): NodeJS.ProcessEnv {
  const inner = /^npm_(package_|lifecycle_|config_(local_prefix|prefix|workspace|workspaces|include_workspace_root)$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !inner.test(name)));
}
