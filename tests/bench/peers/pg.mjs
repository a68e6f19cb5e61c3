// node-postgres: its Pool, with named statements.
import pg from "pg";
import { change, options, run } from "./load.mjs";

const pool = new pg.Pool({ host: "127.0.0.1", port: Number(options.port), user: "app", database: "app",
    max: options.connections });
const sql = {
    point: "select value from bench where id = $1",
    write: "update bench set hits = hits + 1 where id = $1",
    ten: "select id, value from bench where id between $1 and $2 order by id",
};
sql.thousand = sql.ten;
sql.mix = sql.point;

async function transaction(job) {
    const client = await pool.connect();
    const ask = (name, text, values) => client.query({ name, text, values });
    const [delta, account] = change(job, 100000);
    await client.query("begin");
    await ask("t1", "update accounts set balance = balance + $1 where id = $2", [delta, account]);
    const balance = await ask("t2", "select balance from accounts where id = $1", [account]);
    await ask("t3", "update tellers set balance = balance + $1 where id = $2", change(job, 500));
    await ask("t4", "update branches set balance = balance + $1 where id = $2", change(job, 50));
    await ask("t5", "insert into history (delta, account) values ($1, $2)", [delta, account]);
    await client.query("commit");
    client.release();
    return balance.rows;
}

async function read(job) {
    const values = { point: [job], mix: [job], ten: [job, job + 9], thousand: [job, job + 999] }[options.work];
    return (await pool.query({ name: options.work, text: sql[options.work], values })).rows;
}

function write(job) {
    return pool.query({ name: "write", text: sql.write, values: [job] });
}

await run(options.work === "tpcb" ? transaction : read, write, () => pool.end());
