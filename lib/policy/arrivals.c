#include "policy/arrivals.h"

/* The standard error of a rate that so many moments tell is one over the root of them. */
static const struct {
    unsigned moments;
    double error;
} spans[] = {{8, 0.354}, {16, 0.25}, {32, 0.177}, {64, 0.125}, {PQR__ARRIVALS_MOMENTS, 0.088}};

double pqr__arrivals_rate(
    const struct pqr__arrivals *arrivals, double errors, uint64_t now_us, uint64_t least_us)
{
    const uint64_t remembered_us = (uint64_t)PQR__ARRIVALS_MOMENTS * PQR__ARRIVALS_MOMENT_US;
    double highest = 0;
    if (least_us > remembered_us)
        least_us = remembered_us;
    for (unsigned i = 0; i < sizeof(spans) / sizeof(*spans) && spans[i].moments <= arrivals->moments; i++) {
        uint64_t first = (arrivals->moments - spans[i].moments) % PQR__ARRIVALS_MOMENTS;
        uint64_t took_us = now_us - arrivals->at_us[first];
        double came = (double)(arrivals->came - arrivals->before[first]);
        double sure = 1 - errors * spans[i].error;
        double rate = sure * came * 1e6 / (double)(took_us > least_us ? took_us : least_us);
        highest = rate > highest ? rate : highest;
    }
    return highest;
}
