/* Measured by tests/sim/calibrate on a real server, a client that waits beside it. Statements of pure work,
   alone on a connection each:
       1 at once      280 a second,   3.58 ms each,  1.00 of one alone
       2 at once      555 a second,   3.60 ms each,  1.99 of one alone
       3 at once      455 a second,   6.59 ms each,  1.63 of one alone
       4 at once      605 a second,   6.61 ms each,  2.16 of one alone
       8 at once      604 a second,  13.24 ms each,  2.16 of one alone
      16 at once      607 a second,  26.37 ms each,  2.17 of one alone
      32 at once      451 a second,  71.02 ms each,  1.61 of one alone
      64 at once      549 a second, 116.50 ms each,  1.96 of one alone
   A connect takes scram-sha-256 and a first statement. */
#ifndef SCENARIO_CALIBRATION_H
#define SCENARIO_CALIBRATION_H

/* 2 processors; what all statements at once get, in those of one. */
#define CALIBRATED_CORES 2.00
#define CALIBRATED_KNEE  4
/* Each statement more past the knee costs this part. */
#define CALIBRATED_DECAY      0.00378
#define CALIBRATED_CONNECT_US 14188

#endif
