using System.Collections.Immutable;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>Nodes that have failed: avoided by new Pods, longer each time, and forgiven.</summary>
internal static class Quarantine
{
    /// <summary>For how long after its forgiveness a node's failures are remembered.</summary>
    private static readonly TimeSpan Memory = TimeSpan.FromDays(1);

    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    public static bool Holds(GangState state, string node, DateTimeOffset now) =>
        state.Quarantined.TryGetValue(node, out var entry) && now < entry.Until;

    public static IEnumerable<string> Nodes(GangState state, DateTimeOffset now) =>
        state.Quarantined.Where(q => now < q.Value.Until).Select(q => q.Key);

    /// <summary>Whether this failure's node has been in quarantine for it, and is forgiven: a plan that grows answers its failures anew, and blames nobody twice.</summary>
    public static bool Forgave(GangState state, Failure failure, DateTimeOffset now) =>
        state.Quarantined.TryGetValue(failure.Node ?? "", out var entry) && now >= entry.Until && failure.Noticed <= entry.Since;

    /// <summary>Notes that these nodes have failed; one that is in quarantine already stays as it is.</summary>
    public static void Add(GangDraft draft, IEnumerable<string> nodes, RecoveryPlan plan)
    {
        foreach (var node in nodes) Add(draft, node, (plan.Failures.FirstOrDefault(f => f.Node == node) ?? plan.Cause)?.Kind);
    }

    public static void Add(GangDraft draft, string node, FailureKind? kind)
    {
        var period = draft.Spec.QuarantinePeriod;
        if (period == TimeSpan.Zero || Holds(draft.State, node, draft.Now)) return;
        var failures = draft.State.Quarantined.TryGetValue(node, out var before) ? before.Failures + 1 : 1;
        var time = period * Math.Pow(2, Math.Min(failures - 1, 16));
        // Where the node itself says nothing of it, as after a report from outside, its looks will not tell when it is over.
        var reported = kind == FailureKind.NodeDraining && draft.FindNode(node)?.Going is null;
        var entry = new QuarantinedNode($"{kind}{(reported ? ", as reported" : "")}", draft.Now, draft.Now + (time > Longest ? Longest : time), failures);
        draft.Set(s => s with { Quarantined = s.Quarantined.SetItem(node, entry) });
    }

    /// <summary>Forgives whose time is over, and whoever was only about to go and is not any more.</summary>
    public static void Run(GangDraft draft)
    {
        foreach (var (name, entry) in draft.State.Quarantined)
        {
            if (draft.Now >= entry.Until)
            {
                if (draft.Now >= entry.Until + Memory) draft.Set(s => s with { Quarantined = s.Quarantined.Remove(name) });
                continue;
            }

            if (entry.Reason == nameof(FailureKind.NodeDraining) && draft.State.Nodes.TryGetValue(name, out var node) && LooksWell(draft, node))
            {
                Forgive(draft, name, "it is not about to go any more");
                continue;
            }

            draft.WakeAt(entry.Until);
        }
    }

    /// <summary>All that look well, because a Pod finds no other node. True if there were any.</summary>
    public static bool ForgiveWell(GangDraft draft)
    {
        var well = Nodes(draft.State, draft.Now).Where(n => draft.State.Nodes.TryGetValue(n, out var node) && LooksWell(draft, node)).ToList();
        foreach (var node in well) Forgive(draft, node, "it looks well, and there is no other node");
        return well.Count > 0;
    }

    private static bool LooksWell(GangDraft draft, NodeObservation node) =>
        node.Ready == true && !NodeHealth.IsLost(draft.State, node) && node.Sign is null;

    private static void Forgive(GangDraft draft, string node, string why)
    {
        draft.Set(s => s with { Quarantined = s.Quarantined.SetItem(node, s.Quarantined[node] with { Until = draft.Now }) });
        draft.Notice($"node {node} may take Pods again: {why}");
    }
}
