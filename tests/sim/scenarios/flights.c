/* Reads that share flights: many are under way on a connection, and yet the server has a knee. */
#include "run.h"

/* Four processors do 10,000 a second; one connection alone, with flights behind one another, a quarter of that. */
static double shared_rate(double at_s)
{
    return at_s >= 8 && at_s < 20 ? 12000 : 1000;
}

/* The median: now and then it tries one more, or one less. */
static uint32_t usual_ceiling(const struct run *run, double from_s, double to_s)
{
    enum { MOST = 100 };
    uint32_t times[MOST + 1] = {0}, n = 0, below = 0;
    for (uint32_t i = 0; i < run->n_samples; i++) {
        const struct sample *sample = &run->samples[i];
        if (sample->at_s >= from_s && sample->at_s < to_s && ++n)
            times[sample->ceiling < MOST ? sample->ceiling : MOST]++;
    }
    for (uint32_t ceiling = 0; ceiling <= MOST; ceiling++)
        if (2 * (below += times[ceiling]) > n)
            return ceiling;
    return 0;
}

static void flights_check(const struct run *ours)
{
    double capacity = 10000.0 * 12, offered = 12000.0 * 12 + 1000.0 * 13;
    run_demand(ours, run_goodput(ours) > 0.9 * (capacity + 13000) / offered, "the server is not used up");
    uint32_t ceiling = usual_ceiling(ours, 12, 20);
    run_demand(ours, ceiling >= 3 && ceiling <= 6, "the knee at 4 is not found");
    run_demand(ours, run_mean_connections(ours, 14, 20) < 9, "connections that add nothing stay");
}

const struct scenario scenario_flights = {.name = "shared flights, a knee at 4",
    .best_fixed = 6,
    .seconds = 25,
    .from_s = 2,
    .to_s = 25,
    .up_s = 8,
    .step_s = 20,
    .servers = 1,
    .routers = 1,
    .cores = 4,
    .knee = 4,
    .decay = 0.03,
    .classes = {{.work_us = 400}},
    .streams = {{.rate = shared_rate, .class = "0", .target = PQR_TARGET_PRIMARY, .timeout_ms = 1000}},
    .check = flights_check};
