using System.Collections.Immutable;
using System.Text.RegularExpressions;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor;

/// <summary>What several workers that failed together share: a node, a rack, or whatever else the user's node labels name.</summary>
internal static partial class FailureDomains
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    /// <summary>The key by which a node itself is named.</summary>
    public const string NodeKey = "kubernetes.io/hostname";

    /// <summary>The domain that explains these failures, as <c>key=value</c>, and what to add to the cause's evidence; null if none does.</summary>
    /// <param name="state">The state, with its nodes' labels.</param>
    /// <param name="ranked">The failures, the cause first.</param>
    public static (string Domain, string Evidence)? Of(GangState state, ImmutableArray<Failure> ranked)
    {
        if (ranked.IsEmpty || ranked[0].Node is null) return null;
        var cause = ranked[0];
        // Who only felt it is everywhere.
        var early = ranked.Where(f => f.Node is not null && f.Worker is not null
                && (f.At - cause.At).Duration() <= TimeSpan.FromSeconds(30) && !(f.Mark ?? FirstCause.MarkOf(f, state.Spec.ConsequenceExitCodes)).IsConsequence)
            .DistinctBy(f => f.Worker).ToList();
        if (early.Count < 2) return null;
        (string Domain, string Evidence)? best = null;
        var (bestShare, bestSize) = (0, 0);
        foreach (var key in state.Spec.FailureDomains.Prepend(NodeKey))
        {
            if (ValueOf(state, key, cause.Node) is not { } value) continue;
            var within = early.Count(f => ValueOf(state, key, f.Node) == value);
            var workers = state.Workers.Count(w => ValueOf(state, key, state.Pods.GetValueOrDefault(w)?.Node) == value);
            // Most of the early failures, and most of its workers: a domain that holds all of the gang explains nothing.
            if (within < 2 || within * 2 <= early.Count || within * 2 <= workers || (workers == state.Workers.Length && within < workers)) continue;
            if (within < bestShare || (within == bestShare && workers >= bestSize)) continue;
            var name = key == NodeKey ? "node" : key[(key.LastIndexOf('/') + 1)..];
            (bestShare, bestSize) = (within, workers);
            best = ($"{key}={value}", $"{within} of {workers} workers on {name}={value}");
        }

        return best;
    }

    /// <summary>The failures, with the domain in the cause's evidence, and of no other.</summary>
    public static ImmutableArray<Failure> Name(ImmutableArray<Failure> ranked, string? evidence)
    {
        var named = ranked;
        for (var i = 0; i < ranked.Length; i++)
        {
            var bare = ranked[i].Evidence.Contains(" workers on ", StringComparison.Ordinal) ? Named().Replace(ranked[i].Evidence, "") : ranked[i].Evidence;
            var text = i == 0 && evidence is not null ? $"{bare}; {evidence}" : bare;
            if (text != ranked[i].Evidence) named = named.SetItem(i, ranked[i] with { Evidence = text });
        }

        return named;
    }

    /// <summary>
    /// Until when a decision waits, because a node was lost and workers that share a domain with it are silent and not judged yet; null if none
    /// is. So a rack that dies makes one recovery.
    /// </summary>
    public static DateTimeOffset? WaitFor(GangDraft draft)
    {
        var until = draft.State.StageSince + LongestWait;
        if (draft.Now >= until || draft.State.Spec.FailureDomains.IsEmpty) return null;
        var lost = draft.State.Failures.Where(f => f.Kind is FailureKind.NodeLost or FailureKind.AgentLost && f.Node is not null).ToList();
        if (lost.Count == 0) return null;
        var dying = draft.Spec.FailureDomains.SelectMany(key => lost.Select(f => (key, Value: ValueOf(draft.State, key, f.Node))))
            .Where(d => d.Value is not null).ToHashSet();
        var told = draft.State.Failures.Select(f => f.Pod).ToHashSet();
        var silent = draft.State.Workers.Select(draft.Find).OfType<PodState>()
            .Any(p => p is { Connected: false, Agent: not null, Gone: false, HasEnded: false } && !told.Contains(p.Name)
                && draft.Spec.FailureDomains.Any(key => dying.Contains((key, ValueOf(draft.State, key, p.Node)))));
        return silent ? until : null;
    }

    /// <summary>The value of this label on this node; null if there is none.</summary>
    public static string? ValueOf(GangState state, string key, string? node) =>
        node is null ? null : key == NodeKey ? node : state.Nodes.GetValueOrDefault(node)?.Labels.GetValueOrDefault(key);

    [GeneratedRegex("; \\d+ of \\d+ workers on [^;\\s]+=[^;\\s]+$")]
    private static partial Regex Named();
}
