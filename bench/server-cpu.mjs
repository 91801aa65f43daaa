// CPU of this machine: of the process that listens on a port, or any other, with its children; and of all together.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const DEFAULT_PORTS = { 'amqp:': 5672, 'redis:': 6379, 'postgres:': 5432, 'postgresql:': 5432 };

/** The process that listens where a URL leads to; undefined where it cannot be told. */
export function serverOf(url) {
  const { port, protocol } = new URL(url);
  return listener(port || DEFAULT_PORTS[protocol]);
}

/** The process that listens on a TCP port of this machine; undefined where it cannot be told. */
function listener(port) {
  try {
    const hex = `:${Number(port).toString(16).toUpperCase().padStart(4, '0')}`;
    const inodes = new Set();
    for (const table of ['/proc/net/tcp', '/proc/net/tcp6'])
      for (const line of readFileSync(table, 'utf8').split('\n').slice(1)) {
        const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
        if (state === '0A' && local.endsWith(hex)) inodes.add(`socket:[${inode}]`);
      }
    return readdirSync('/proc').find(
      (pid) => /^\d+$/.test(pid) && descriptors(pid).some((link) => inodes.has(link)),
    );
  } catch {
    return undefined; // not on Linux
  }
}

function descriptors(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return '';
      }
    });
  } catch {
    return [];
  }
}

/** Seconds of CPU that a process and its children have used; undefined where it cannot be told. */
export function cpuSeconds(pid) {
  if (pid === undefined) return undefined;
  const stat = (of) => {
    const fields = readFileSync(`/proc/${of}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return {
      parent: fields[1],
      own: Number(fields[11]) + Number(fields[12]),
      gone: Number(fields[13]) + Number(fields[14]),
    };
  };
  let ticks = 0;
  for (const other of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const { parent, own, gone } = stat(other);
      if (other === pid) ticks += own + gone;
      else if (parent === pid) ticks += own;
    } catch {
      // ended meanwhile
    }
  }
  return ticks / 100;
}

/** Seconds of CPU that this machine has used, all processors together, with what the host has kept; undefined where it cannot be told. */
export function busySeconds() {
  try {
    const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0];
    const [user, nice, kernel, , , interrupts, soft, stolen = 0] = line.split(/\s+/).slice(1).map(Number);
    return (user + nice + kernel + interrupts + soft + stolen) / 100;
  } catch {
    return undefined; // not on Linux
  }
}
