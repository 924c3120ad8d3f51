using System.Collections.Immutable;

namespace TrainingSupervisor.Engine;

/// <summary>Which spares there are, which there should be, and which may serve.</summary>
internal static class Spares
{
    /// <summary>It waits at the barrier, on a node that shows no sign of trouble.</summary>
    public static bool CanServe(GangState state, PodState spare, DateTimeOffset now) =>
        spare.Worker is null && spare.Arrived(int.MaxValue) && !Quarantine.Holds(state, spare.Node ?? "", now)
        && (spare.Node is not { } name || state.Nodes.GetValueOrDefault(name)?.Sign is null)
        && spare.Pod is { Deleting: false, DisruptionReason: null } seen && ReportedFailure.OfPod(seen.Reported) is null;

    /// <summary>Whether this spare may take over a worker that was on that node: one of a labelled pool serves nodes with the same label.</summary>
    public static bool Fits(GangState state, RoleSpec role, PodState spare, string? node)
    {
        if (spare.Pool.Length == 0) return true;
        var pool = role.SparePools.FirstOrDefault(p => p.Name == spare.Pool);
        return pool is not null && IsOn(state, pool, node);
    }

    /// <summary>One of these that may take over a worker of this role that was on that node, a labelled one first: it serves only some workers.</summary>
    public static PodState? For(GangState state, IEnumerable<PodState> waiting, RoleSpec role, string? node) =>
        waiting.Where(s => s.Role == role.Name && Fits(state, role, s, node)).OrderBy(s => s.Pool.Length == 0).FirstOrDefault();

    /// <summary>How many spares each role needs beyond those that are described, so that each of these workers can move.</summary>
    public static ImmutableSortedDictionary<string, int> Lacking(GangState state, IEnumerable<Failure> moving)
    {
        var lacking = ImmutableSortedDictionary.CreateBuilder<string, int>();
        foreach (var workers in moving.GroupBy(f => f.Worker!.Value.Role))
        {
            var role = state.Spec.Role(workers.Key);
            // Of each pool as many workers can be served as it has spares; all others need one without a label.
            var unserved = workers.GroupBy(f => role.SparePools.FirstOrDefault(p => IsOn(state, p, f.Node)))
                .Sum(g => Math.Max(0, g.Count() - (g.Key?.Count ?? 0)));
            lacking[role.Name] = Math.Max(0, unserved - role.Spares);
        }

        return lacking.ToImmutable();
    }

    private static bool IsOn(GangState state, SparePool pool, string? node) =>
        node is not null && state.Nodes.TryGetValue(node, out var seen) && seen.Labels.GetValueOrDefault(pool.NodeLabel) == pool.Value;

    /// <summary>How many spares of each pool this role should have now: what it asks for, what it does without, and what a move needs.</summary>
    public static IEnumerable<(string Pool, int Count)> Wanted(GangState state, RoleSpec role)
    {
        var missing = role.Count - state.CountOf(role);
        yield return ("", role.Spares + missing + state.ExtraSpares.GetValueOrDefault(role.Name));
        foreach (var pool in role.SparePools) yield return (pool.Name, pool.Count);
    }

    public static ImmutableSortedDictionary<string, string> SelectorOf(RoleSpec role, string pool) =>
        role.SparePools.FirstOrDefault(p => p.Name == pool) is { } found
            ? ImmutableSortedDictionary<string, string>.Empty.Add(found.NodeLabel, found.Value)
            : ImmutableSortedDictionary<string, string>.Empty;
}
