import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { isRefusal } from './index.ts';
import { AT_ONCE, type Replica, startReplica, subject } from './replica.testing.ts';

const ANSWER_MS = 25;
const PAUSE_MS = 5;
const PAUSE_REFUSED_MS = 40;
const RUN_MS = 2_000;
const NOTHING = { tokens: 0, money: 0 };

let server: RedisServer;
let replicas: Replica[] = [];

before(async () => {
  server = await startRedisServer();
  replicas = await Promise.all(Array.from({ length: 4 }, (_, i) => startReplica(server.url, `r${i}`)));
});
after(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await server.stop();
});

const callsOf = (): number => replicas.reduce((sum, { limiter }) => sum + limiter.counters.calls, 0);
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

for (const { how, slots, clients } of [
  { how: 'all replicas want them', slots: 12, clients: [8, 8, 8, 8] },
  { how: 'one wants most of them', slots: 60, clients: [90, 5, 5, 5] },
]) {
  test(`slots are where they are wanted when ${how}: hardly a request is refused that had a place`, async (t) => {
    const s = subject(how, { concurrency: slots });
    const until = performance.now() + RUN_MS;
    let [now, asked, refused, inVain, most] = [0, 0, 0, 0, 0];
    let area = 0;
    let changedAt = performance.now();
    const change = (by: number): void => {
      area += now * (performance.now() - changedAt);
      changedAt = performance.now();
      now += by;
      most = Math.max(most, now);
      for (const look of looking) look.highest = Math.max(look.highest, now);
    };
    // Who is refused must have seen all slots taken at some moment.
    const looking = new Set<{ highest: number }>();
    const client = async ({ limiter }: Replica, own: number): Promise<void> => {
      while (performance.now() < until) {
        asked++;
        const look = { highest: now };
        looking.add(look);
        const outcome = await limiter.admit([s], NOTHING, AT_ONCE);
        looking.delete(look);
        if (isRefusal(outcome)) {
          refused++;
          if (look.highest < slots) inVain++;
          await pause(PAUSE_REFUSED_MS * own);
          continue;
        }
        change(1);
        await pause(ANSWER_MS * own);
        change(-1);
        outcome.settle(NOTHING);
        await pause(PAUSE_MS * own);
      }
    };
    const began = performance.now();
    const callsBefore = callsOf();
    await Promise.all(
      replicas.flatMap((replica, r) => {
        const length = clients[r] ?? 0;
        // Not all in one beat.
        return Array.from({ length }, (_, i) => client(replica, 0.75 + i / (2 * length)));
      }),
    );
    const calls = callsOf() - callsBefore;
    const used = area / (performance.now() - began);
    t.diagnostic(JSON.stringify({ asked, refused, inVain, used, calls }));
    assert.ok(most <= slots, `${most} at one time`);
    assert.ok(refused > 30, `${refused} refused`);
    assert.ok(inVain <= asked * 0.01, `${inVain} of ${asked} refused in vain`);
  });
}
