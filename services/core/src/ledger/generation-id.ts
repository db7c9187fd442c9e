import { decodeTime } from 'ulid';

const PREFIX = 'gen_';
const SLICE_MS = 10 * 60_000;

/** `gen_<ulid>` (WIRE 2.4). */
export const isGenerationId = (text: string): boolean => /^gen_[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);

/** The ten minutes since the epoch in which a generation began; throws on anything but a generation id. */
export const generationSlice = (id: string): number => Math.floor(decodeTime(id.slice(PREFIX.length)) / SLICE_MS);
