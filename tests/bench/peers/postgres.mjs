// postgres.js: it prepares and pipelines by itself; the statements of a transaction that need no answer go together.
import postgres from "postgres";
import { change, options, run } from "./load.mjs";

const sql = postgres({ host: "127.0.0.1", port: Number(options.port), user: "app", database: "app",
    max: options.connections });

function transaction(job) {
    const [delta, account] = change(job, 100000);
    const [, teller] = change(job, 500);
    const [, branch] = change(job, 50);
    return sql.begin(async (tx) => {
        const answers = await Promise.all([
            tx`update accounts set balance = balance + ${delta} where id = ${account}`,
            tx`select balance from accounts where id = ${account}`,
            tx`update tellers set balance = balance + ${delta} where id = ${teller}`,
            tx`update branches set balance = balance + ${delta} where id = ${branch}`,
            tx`insert into history (delta, account) values (${delta}, ${account})`,
        ]);
        return answers[1];
    });
}

const point = (job) => sql`select value from bench where id = ${job}`;
const write = (job) => sql`update bench set hits = hits + 1 where id = ${job}`;
const asks = {
    tpcb: transaction,
    point,
    mix: point,
    ten: (job) => sql`select id, value from bench where id between ${job} and ${job + 9} order by id`,
    thousand: (job) => sql`select id, value from bench where id between ${job} and ${job + 999} order by id`,
};

await run(asks[options.work], write, () => sql.end());
