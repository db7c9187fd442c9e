/** The yardsticks: the mock without anything in between, HAProxy and nginx with one worker and keep-alive upstreams. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@headgate/core/testing/port';
import { type Bench, type Target, Unavailable, versionOf } from './target.ts';

const START_MS = 8000;

export function direct(bench: Bench): Target {
  const endpoint = { port: bench.mockPort, model: 'mock', loadCore: bench.loadCore };
  return { name: 'direct', version: 'the mock itself', start: async () => ({ endpoint, stop: async () => {} }) };
}

export function haproxy(bench: Bench): Target {
  const version = versionOf('haproxy', ['-v']);
  if (version === undefined) throw new Unavailable('haproxy is not on the PATH: apt-get install haproxy');
  return {
    name: 'haproxy',
    version: version.replace(/ - .*/, ''),
    start: async () => {
      const port = await freePort();
      const file = join(bench.scratch, `haproxy-${port}.cfg`);
      writeFileSync(file, haproxyConfig(port, bench.mockPort));
      return startProxy(bench, 'haproxy', ['-db', '-f', file], port);
    },
  };
}

export function nginx(bench: Bench): Target {
  const version = versionOf('nginx', ['-v']);
  if (version === undefined) throw new Unavailable('nginx is not on the PATH: apt-get install nginx');
  return {
    name: 'nginx',
    version: version.replace('nginx version: ', ''),
    start: async () => {
      const port = await freePort();
      const folder = join(bench.scratch, `nginx-${port}`);
      mkdirSync(folder);
      writeFileSync(join(folder, 'nginx.conf'), nginxConfig(folder, port, bench.mockPort));
      return startProxy(bench, 'nginx', ['-p', folder, '-e', 'error.log', '-c', 'nginx.conf'], port);
    },
  };
}

async function startProxy(bench: Bench, command: string, args: string[], port: number) {
  const child = bench.children.start({ name: `${command}-${port}`, core: bench.gatewayCore, command, args });
  await child.listens(port, START_MS);
  const endpoint = { port, model: 'mock', pid: child.pid, loadCore: bench.loadCore };
  return { endpoint, stop: () => child.stop() };
}

// Without http-no-delay HAProxy holds the chunks of a stream back (p50 117 ms), which would flatter everything else.
const haproxyConfig = (port: number, upstream: number): string => `
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  option http-keep-alive
  option http-no-delay
  http-reuse always
frontend f
  bind 127.0.0.1:${port} backlog 8192
  default_backend b
backend b
  server m 127.0.0.1:${upstream} pool-max-conn 8000
`;

// The body buffer is large because nginx writes bodies above its default size to disk.
const nginxConfig = (folder: string, port: number, upstream: number): string => `
worker_processes 1;
daemon off;
master_process off;
pid ${folder}/nginx.pid;
events { worker_connections 16000; }
http {
  access_log off;
  client_body_buffer_size 2m;
  client_max_body_size 64m;
  client_body_temp_path ${folder}/client;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 100000000;
  upstream mock {
    server 127.0.0.1:${upstream};
    keepalive 8192;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=8192;
    location / {
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 300s;
    }
  }
}
`;
