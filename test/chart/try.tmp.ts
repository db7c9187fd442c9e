import { writeFileSync } from 'node:fs';
import { scrapeAfterTraffic } from './traffic.ts';

const s = await scrapeAfterTraffic();
writeFileSync('/tmp/w/ingress.prom', s.ingress);
writeFileSync('/tmp/w/embedder.prom', s.embedder);
