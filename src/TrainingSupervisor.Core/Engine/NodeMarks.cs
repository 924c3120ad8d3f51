namespace TrainingSupervisor.Engine;

/// <summary>The taint of nodes in quarantine, for gangs that ask for it. A gang takes away only its own: it names the gang.</summary>
internal static class NodeMarks
{
    public const string Effect = "NoSchedule";

    /// <summary>Before a request that was not seen to work is said again.</summary>
    private static readonly TimeSpan Repeat = TimeSpan.FromSeconds(30);

    public static string Key(GangSpec spec) => $"{spec.Name}.{spec.Namespace}.quarantine.training-supervisor.dev/node-failed";

    /// <summary>Makes the Nodes say what the quarantine says; nothing at all once the gang is over.</summary>
    public static void Run(GangDraft draft)
    {
        if (!draft.Spec.QuarantineTaints || !draft.Synced) return;
        var taint = $"{Key(draft.Spec)}:{Effect}";
        foreach (var name in draft.State.Quarantined.Keys)
        {
            if (!draft.State.Nodes.TryGetValue(name, out var node) || node.Deleted) continue;
            var wanted = !draft.IsOver && Quarantine.Holds(draft.State, name, draft.Now);
            if (node.Taints.Contains(taint) == wanted)
            {
                if (draft.State.MarksAsked.ContainsKey(name)) draft.Set(s => s with { MarksAsked = s.MarksAsked.Remove(name) });
                continue;
            }

            var again = draft.State.MarksAsked.GetValueOrDefault(name, DateTimeOffset.MinValue);
            if (draft.Now < again)
            {
                if (again < DateTimeOffset.MaxValue) draft.WakeAt(again);
                continue;
            }

            draft.Set(s => s with { MarksAsked = s.MarksAsked.SetItem(name, draft.Now + Repeat) });
            draft.Emit(new MarkNode(name, wanted));
        }
    }
}
