/* The public header in a C++ program, with the warnings that people compile with: nothing but what C++11 has, every
   ..._INIT as an initialiser and as a value. */
#include <pqrouter.h>

#include <cstdio>
#include <cstring>

static const pqr_callbacks callbacks = PQR_CALLBACKS_INIT;

int main()
{
    pqr_query query = PQR_QUERY_INIT;
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    pqr_batch_options batch_options = PQR_BATCH_OPTIONS_INIT;
    pqr_pressure pressure = PQR_PRESSURE_INIT;
    pqr_verdict verdict = PQR_VERDICT_INIT;
    query = PQR_QUERY_INIT;
    bool sized = callbacks.struct_size == sizeof(callbacks) && query.struct_size == sizeof(query) &&
                 options.struct_size == sizeof(options) &&
                 batch_options.struct_size == sizeof(batch_options) &&
                 pressure.struct_size == sizeof(pressure) && verdict.struct_size == sizeof(verdict);
    bool set = callbacks.log_level == PQR_LOG_INFO && !callbacks.log && !query.sql &&
               query.target == PQR_TARGET_AUTO;
    int code = pqr_classify(&verdict, "select 1", 8);
    bool linked = code == 0 && verdict.route == PQR_CLASS_REPLICA && std::strcmp(verdict.reason, "read") == 0;
    std::printf("sized %d, set %d, linked %d\n", sized, set, linked);
    return sized && set && linked ? 0 : 1;
}
