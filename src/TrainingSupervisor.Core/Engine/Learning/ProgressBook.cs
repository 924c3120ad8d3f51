using System.Collections.Immutable;

namespace TrainingSupervisor.Engine.Learning;

/// <summary>What the machine has learned from the workers' progress, and where this attempt stands. Empty after a takeover: it is learned anew.</summary>
internal sealed record ProgressBook
{
    public static ProgressBook Empty { get; } = new();

    /// <summary>The attempt that the lines below "of this attempt" are about; 0 if nobody has reported yet.</summary>
    public int Attempt { get; init; }

    /// <summary>By role; only roles of which a worker has reported a step.</summary>
    public ImmutableSortedDictionary<string, StepWatch> Roles { get; init; } = ImmutableSortedDictionary<string, StepWatch>.Empty;
    public ImmutableSortedDictionary<string, PhaseTime> Phases { get; init; } = ImmutableSortedDictionary<string, PhaseTime>.Empty;

    /// <summary>Of this attempt: how many workers say that they do something other than train.</summary>
    public int Away { get; init; }

    /// <summary>Of this attempt: the phase other than training that was announced last, and since when it lasts.</summary>
    public string Phase { get; init; } = "";
    public DateTimeOffset PhaseSince { get; init; }

    /// <summary>The step clock does not run from before this: a phase ended, or we ourselves did not run.</summary>
    public DateTimeOffset Resumed { get; init; } = DateTimeOffset.MinValue;

    /// <summary>When the hang clock was last looked at.</summary>
    public DateTimeOffset LookedAt { get; init; } = DateTimeOffset.MinValue;

    /// <summary>The start of the hang clock for which a hang was reported: one silence is one hang.</summary>
    public DateTimeOffset? ReportedFor { get; init; }

    /// <summary>The start of the hang clock that was given more time, see <see cref="StepWatch.HungAt"/>.</summary>
    public DateTimeOffset? ExtendedFor { get; init; }
    public int Suspicions { get; init; }
    public HangSuspicion? Suspicion { get; init; }

    /// <summary>Of this attempt: the workers' own paces, by role.</summary>
    public ImmutableSortedDictionary<string, RolePace> Paces { get; init; } = ImmutableSortedDictionary<string, RolePace>.Empty;

    /// <summary>Where roles have cells: how far each cell is, by name, and what those of a role have taught.</summary>
    public ImmutableSortedDictionary<string, CellWatch> Cells { get; init; } = ImmutableSortedDictionary.Create<string, CellWatch>(StringComparer.Ordinal);
    public ImmutableSortedDictionary<string, CellTimes> CellTimes { get; init; } = ImmutableSortedDictionary<string, CellTimes>.Empty;

    /// <summary>When cells were last looked at, and when we last found that we had not run in time for that.</summary>
    public DateTimeOffset CellsLookedAt { get; init; } = DateTimeOffset.MinValue;
    public DateTimeOffset CellsResumed { get; init; } = DateTimeOffset.MinValue;

    /// <summary>We ourselves did not run until now: no cell's silence is known.</summary>
    public ProgressBook SpoilCells(DateTimeOffset now) => this with
    {
        CellsResumed = now,
        Cells = Cells.ToImmutableSortedDictionary(c => c.Key, c => c.Value with { Steps = c.Value.Steps with { Spoiled = true } }, StringComparer.Ordinal),
    };

    /// <summary>The gaps under way are no steps' times.</summary>
    public ProgressBook Spoil() => this with { Roles = Roles.ToImmutableSortedDictionary(r => r.Key, r => r.Value with { Spoiled = true }) };

    public PhaseTime PhaseTimeOf(string phase) => Phases.GetValueOrDefault(phase, PhaseTime.None);
}
