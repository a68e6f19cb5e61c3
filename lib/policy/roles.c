/* The rules of roles.h. The order matters: who belongs to the cluster is settled before timelines are compared,
   since a stranger's timeline says nothing about ours. */
#include "policy/roles.h"

struct census {
    uint32_t unprobed, answering;
    bool agree;
    uint64_t identifier; /* of the first that answers */
};

static struct census count(const struct pqr__observation *seen, uint32_t n)
{
    struct census census = {.agree = true};
    for (uint32_t i = 0; i < n; i++) {
        if (!seen[i].probed) {
            census.unprobed++;
        } else if (seen[i].answering) {
            if (census.answering++ == 0)
                census.identifier = seen[i].system_identifier;
            else if (seen[i].system_identifier != census.identifier)
                census.agree = false;
        }
    }
    return census;
}

enum membership { UNDECIDED, DISPUTED, DECIDED };

static enum membership settle_identity(struct pqr__cluster *cluster, const struct census *census, uint32_t n)
{
    if (cluster->system_identifier != 0)
        return DECIDED;
    if (!census->agree || (cluster->disputed && census->answering < n)) {
        cluster->disputed = true;
        return DISPUTED;
    }
    if (census->unprobed > 0 || census->answering == 0)
        return UNDECIDED;
    cluster->disputed = false;
    cluster->system_identifier = census->identifier;
    return DECIDED;
}

static pqr_role role_alone(
    const struct pqr__cluster *cluster, enum membership membership, const struct pqr__observation *seen)
{
    if (!seen->probed)
        return PQR_ROLE_UNKNOWN;
    if (!seen->answering)
        return PQR_ROLE_DOWN;
    if (membership == UNDECIDED)
        return PQR_ROLE_UNKNOWN;
    if (membership == DISPUTED || seen->system_identifier != cluster->system_identifier)
        return PQR_ROLE_WRONG_CLUSTER;
    return seen->in_recovery ? PQR_ROLE_REPLICA : PQR_ROLE_PRIMARY;
}

static bool is_member(pqr_role role)
{
    return role == PQR_ROLE_PRIMARY || role == PQR_ROLE_REPLICA;
}

/* Fallen silent, perhaps before the cluster was pinned, but what it told of its timeline stays true. */
static bool was_member(const struct pqr__cluster *cluster, const struct pqr__observation *seen)
{
    return seen->system_identifier != 0 && seen->system_identifier == cluster->system_identifier;
}

void pqr__roles_leave(struct pqr__cluster *cluster, const struct pqr__observation *seen)
{
    if (seen->system_identifier == 0)
        return;
    bool again = seen->system_identifier == cluster->left_identifier;
    if (!again || seen->timeline > cluster->left_timeline)
        cluster->left_timeline = seen->timeline;
    cluster->left_identifier = seen->system_identifier;
}

static void note_timeline(struct pqr__cluster *cluster, uint32_t timeline)
{
    if (timeline > cluster->highest_timeline)
        cluster->highest_timeline = timeline;
}

/* Of all that claim to be primary at most one keeps the role. */
static void settle_primary(struct pqr__cluster *cluster, const struct pqr__observation *seen, uint32_t n,
    bool named_before, pqr_role *out)
{
    uint32_t claims = 0;
    uint64_t claimant = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (out[i] != PQR_ROLE_PRIMARY || seen[i].timeline < cluster->highest_timeline)
            continue;
        if (claims == 0 || seen[i].instance == 0 || seen[i].instance != claimant)
            claims++;
        claimant = seen[i].instance;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (out[i] != PQR_ROLE_PRIMARY)
            continue;
        if (!named_before)
            out[i] = PQR_ROLE_UNKNOWN;
        else if (claims > 1 || seen[i].timeline < cluster->highest_timeline)
            out[i] = PQR_ROLE_FENCED;
    }
}

void pqr__roles_decide(
    struct pqr__cluster *cluster, const struct pqr__observation *seen, uint32_t n, pqr_role *out)
{
    struct census census = count(seen, n);
    enum membership membership = settle_identity(cluster, &census, n);
    for (uint32_t i = 0; i < n; i++)
        out[i] = role_alone(cluster, membership, &seen[i]);
    for (uint32_t i = 0; i < n; i++)
        if (is_member(out[i]) || (membership == DECIDED && was_member(cluster, &seen[i])))
            note_timeline(cluster, seen[i].timeline);
    if (membership == DECIDED && cluster->left_identifier == cluster->system_identifier)
        note_timeline(cluster, cluster->left_timeline);
    settle_primary(cluster, seen, n, census.unprobed == 0, out);
}
