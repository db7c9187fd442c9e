/**
 * A soak of minutes: `npm run soak -- --minutes 5 [--clients 16] [--seed N]`. Prints the counts; exit code 1 when anything
 * came out that must not.
 */
import { parseArgs } from 'node:util';
import { soak, summary } from './soak.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    clients: { type: 'string', default: '16' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});

const seed = Number(values.seed);
const ms = Number(values.minutes) * 60_000;
const clients = Number(values.clients);
if (!(ms > 0) || !Number.isInteger(clients) || clients < 1 || !Number.isInteger(seed)) {
  throw new RangeError('expected --minutes above 0, --clients from 1 on, --seed a whole number');
}

console.log(`soak: ${values.minutes} minutes, ${clients} clients, seed ${seed}`);
const counts = await soak({ seed, ms, clients, onProgress: (so) => console.log(`soak: ${summary(so)}`) });
console.log(`soak: ${summary(counts)}`);
for (const fault of counts.faults) console.error(`soak: ${fault}`);
process.exitCode = counts.faults.length === 0 ? 0 : 1;
