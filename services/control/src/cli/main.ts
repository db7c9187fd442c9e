import { type Command, readCommand } from './command.ts';
import { connectTo, type Place, readPlace } from './connection.ts';
import { explain, WrongCommand } from './failure.ts';
import { HELP } from './help.ts';
import { processTerminal } from './terminal.ts';

const DONE = 0;
const FAILED = 1;
const WRONG = 2;

async function main(words: readonly string[]): Promise<number> {
  if (words.length === 0 || words.some((word) => word === '--help' || word === '-h') || words[0] === 'help') {
    process.stdout.write(HELP);
    return words.length === 0 ? WRONG : DONE;
  }
  let command: Command;
  let place: Place;
  try {
    command = readCommand(words);
    place = readPlace(process.env);
  } catch (error) {
    return complain(error, '');
  }
  try {
    await command.run(connectTo(place), processTerminal(command.json));
    return DONE;
  } catch (error) {
    return complain(error, place.url);
  }
}

function complain(error: unknown, url: string): number {
  const isWrong = error instanceof WrongCommand;
  process.stderr.write(`headgate: ${explain(error, url)}\n`);
  if (isWrong) process.stderr.write('headgate --help shows all commands\n');
  return isWrong ? WRONG : FAILED;
}

process.exitCode = await main(process.argv.slice(2));
