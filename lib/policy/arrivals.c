#include "policy/arrivals.h"

/* How much of a rate is sure that so many moments tell: less two standard errors, 1 - 2 / sqrt(moments). */
static const struct {
    unsigned moments;
    double sure;
} spans[] = {{8, 0.293}, {16, 0.5}, {32, 0.646}, {64, 0.75}, {PQR__ARRIVALS_MOMENTS, 0.823}};

double pqr__arrivals_rate(const struct pqr__arrivals *arrivals, uint64_t now_us, uint64_t least_us)
{
    const uint64_t remembered_us = (uint64_t)PQR__ARRIVALS_MOMENTS * PQR__ARRIVALS_MOMENT_US;
    double highest = 0;
    if (least_us > remembered_us)
        least_us = remembered_us;
    for (unsigned i = 0; i < sizeof(spans) / sizeof(*spans) && spans[i].moments <= arrivals->moments; i++) {
        uint64_t first = (arrivals->moments - spans[i].moments) % PQR__ARRIVALS_MOMENTS;
        uint64_t took_us = now_us - arrivals->at_us[first];
        double came = (double)(arrivals->came - arrivals->before[first]);
        double rate = spans[i].sure * came * 1e6 / (double)(took_us > least_us ? took_us : least_us);
        highest = rate > highest ? rate : highest;
    }
    return highest;
}
