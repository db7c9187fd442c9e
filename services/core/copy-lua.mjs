// Lua scripts are read at run time from beside the code that uses them: the compiler leaves them behind, so they are copied.
import { cpSync, globSync } from 'node:fs';

for (const file of globSync('src/**/*.lua', { cwd: import.meta.dirname })) {
  cpSync(`${import.meta.dirname}/${file}`, `${import.meta.dirname}/${file.replace(/^src/, 'dist')}`);
}
