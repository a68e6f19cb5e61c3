// The load of ../bench.c for programs in JavaScript: so many clients that each ask again when answered.
//   node PEER.mjs port=N work=point|ten|thousand|mix|tpcb connections=N clients=N seconds=S
import { performance } from "node:perf_hooks";

export const options = { port: "5432", work: "point", connections: 4, clients: 64, seconds: 2 };
for (const argument of process.argv.slice(2)) {
    const [name, value] = argument.split("=");
    options[name] = ["port", "work"].includes(name) ? value : Number(value);
}

const ROWS = 10000;
let id = 0;
function next() {
    id = (id + 7919) % ROWS;
    return id + 1;
}

// The values of a transaction's steps, as in ../work.c.
export function change(job, rows) {
    return [job % 997, ((job * 7919) % rows) + 1];
}

// ask(id) answers the rows; of a transaction, the one that holds the balance. write(id) is each fifth of the mix.
export async function run(ask, write, close) {
    const counts = { point: 1, ten: 10, thousand: 1000, mix: 1, tpcb: 1 };
    let asked = 0;
    const times = [];
    const begin = performance.now();
    const from = begin + 500; // the compiler has to see the code run for a while
    const until = from + options.seconds * 1000;
    let usage;
    async function client() {
        for (let started = performance.now(); started < until; ) {
            const job = next();
            const writes = options.work === "mix" && ++asked % 5 === 0;
            const rows = await (writes ? write(job) : ask(job));
            const expected = Math.min(counts[options.work], ROWS - job + 1);
            const last = rows[rows.length - 1];
            if (writes ? false : options.work === "tpcb" ? rows.length !== 1
                : rows.length !== expected || last.value !== 7 * (job + expected - 1))
                throw new Error(`id ${job}: its rows were not read`);
            const now = performance.now();
            if (now >= from) {
                usage ??= process.cpuUsage();
                if (now < until) times.push(now - started);
            }
            started = now;
        }
    }
    await Promise.all(Array.from({ length: options.clients }, client));
    const used = process.cpuUsage(usage);
    times.sort((a, b) => a - b);
    const n = times.length;
    const at = (share) => (times[Math.floor(n * share)] * 1000).toFixed(1);
    console.log((n / options.seconds).toFixed(0), at(0.5), at(0.99), (used.user / n).toFixed(3),
        (used.system / n).toFixed(3));
    await close();
}
