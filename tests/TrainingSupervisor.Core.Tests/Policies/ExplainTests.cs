using System.Collections.Concurrent;
using System.Collections.Immutable;
using TrainingSupervisor.Core.Tests.Engine;
using TrainingSupervisor.Engine;
using Xunit.Abstractions;

namespace TrainingSupervisor.Core.Tests.Policies;

/// <summary>What Explain says is what the running supervisor does.</summary>
public sealed class ExplainTests(ITestOutputHelper output)
{
    private const int Cases = 100_000;
    private const int Gangs = 160;
    private const int CasesOfAState = 60;
    private const int PoliciesOfAState = 6;
    private static readonly TimeSpan Longest = TimeSpan.FromHours(2);

    [Fact]
    public void Explain_RandomStatesPoliciesAndFailures_IsWhatTheMachineDoes()
    {
        var done = 0;
        var seen = new ConcurrentDictionary<string, int>();
        Parallel.For(0, Gangs, seed =>
        {
            var random = new Random(seed);
            foreach (var (state, now) in States(seed, random))
            {
                var policies = Enumerable.Range(0, PoliciesOfAState).Select(_ => RandomPolicy.Make(random, Longest, ["trainer", "evaluator"])).ToArray();
                for (var i = 0; i < CasesOfAState; i++)
                {
                    var (varied, at) = Vary(state, now, policies[i % PoliciesOfAState], random);
                    var failure = Failing(varied, at, random);
                    var does = WhatItDoes(varied, failure, at);
                    var says = Says(GangMachine.Explain(varied, failure, at));
                    Assert.True(does == says || (does == "nothing new" && IsNothingNew(varied, says)), $"seed {seed}, {failure}\nit does\n{does}\nExplain says\n{says}");
                    seen.AddOrUpdate($"{varied.Stage}: {does.Split(' ', '\n')[0]}", 1, (_, n) => n + 1);
                    Interlocked.Increment(ref done);
                }
            }
        });

        foreach (var (what, times) in seen.OrderByDescending(s => s.Value)) output.WriteLine($"{times,7} {what}");
        Assert.InRange(done, Cases, int.MaxValue);
        // The comparison is worth something only if all of these were met often.
        foreach (var what in new[] { "Running: Hybrid", "Running: FailGang", "Running: Ignore", "Running: RecreateFailed", "Running: RestartCell", "Running: ReplaceWithSpare", "Running: ShrinkGang", "Barrier: Hybrid", "Saving: Hybrid", "Gathering: Hybrid" })
        {
            Assert.InRange(seen.GetValueOrDefault(what), 100, Cases);
        }
    }

    /// <summary>A gang in trouble, at some moments of it.</summary>
    private static IEnumerable<(GangState State, DateTimeOffset Now)> States(int seed, Random random)
    {
        var window = random.Next(3) switch { 0 => 0, 1 => 50, _ => random.Next(1, 10_000) };
        var (cells, shrinks) = (random.Next(3) == 0, random.Next(3) == 0);
        var spec = Specs.Gang(random.Next(1, 5), random.Next(0, 3), g => g
            .WithGatherWindow(TimeSpan.FromMilliseconds(window))
            .AddRole("evaluator", r =>
            {
                r.WithCount(cells || shrinks ? 4 : random.Next(1, 3)).WithImage("x").WithCommand("x").WithAgentInImage("/agent");
                if (cells) r.WithCells(2);
                if (shrinks) r.WithMinWorkers(2, multipleOf: 2);
            })
            .WithQuiesce(TimeSpan.FromSeconds(random.Next(0, 2)))
            .WithPolicy(p => p.WithBudget(1000, TimeSpan.FromHours(1)).WithoutNodeBudget())).Build();
        var world = new World(seed, spec, nodes: 16);
        world.Run(TimeSpan.FromSeconds(random.Next(2, 8)));
        for (var i = 0; i < 12; i++)
        {
            var pod = world.Pods.Values.ElementAtOrDefault(random.Next(world.Pods.Count));
            switch (random.Next(8))
            {
                case 0 or 1 when pod is not null: world.Exit(pod, random.Next(1, 5)); break;
                case 2 when pod is not null: world.KillContainer(pod); break;
                case 3 when pod is not null: world.DeleteByOthers(pod); break;
                case 4 when pod?.Node is { } node: world.Partition(node); break;
                case 5 when pod is not null: world.Blip(pod); break;
                case 6 when pod is not null: world.Progress(pod, random.Next(0, 1000)); break;
                default: break;
            }

            world.Run(TimeSpan.FromMilliseconds(random.Next(4) == 0 ? random.Next(0, 8000) : random.Next(0, 150)));
            if (world.State is { Synced: true, IsOver: false }) yield return (world.State, world.Now);
        }
    }

    private static (GangState State, DateTimeOffset Now) Vary(GangState state, DateTimeOffset now, RecoveryPolicy policy, Random random)
    {
        var rules = policy.Rules.Concat(RecoveryPolicy.Default.Rules).Select(r => r.Id).ToArray();
        WorkerId? Someone() => random.Next(3) == 0 ? null : state.WorkerAt(random.Next(state.Workers.Length));
        var before = Enumerable.Range(0, random.Next(0, 12)).Select(i => (Index: i, Worker: Someone())).Select(e => new RecoveryEntry(now - (Longest * random.NextDouble()), -100 + e.Index, Kind(random))
        {
            Worker = e.Worker,
            Cell = Cells.Of(state.Spec, e.Worker),
            Node = random.Next(3) == 0 ? null : $"node-{random.Next(16)}",
            Rule = rules[random.Next(rules.Length)],
            Rung = random.Next(0, 3),
            BestStep = random.Next(-1, 1000),
        }).OrderBy(e => e.At);
        var cells = state.CellSteps;
        for (var cell = 0; cell < 2; cell++) cells = cells.SetItem($"evaluator/{cell}", Math.Max(cells.GetValueOrDefault($"evaluator/{cell}", -1), random.Next(-1, 1200)));
        var quarantined = state.Quarantined;
        for (var i = random.Next(0, 4); i > 1; i--) quarantined = quarantined.SetItem($"node-{random.Next(16)}", new QuarantinedNode("Hang", state.StageSince, state.StageSince + TimeSpan.FromMinutes(random.Next(0, 90)), 1));
        var nodes = state.Nodes.Values.Aggregate(state.Nodes, (all, n) => all.SetItem(n.Name, n with { Labels = n.Labels.SetItem("pool", random.Next(2) == 0 ? "a" : "b") }));
        var pods = state.Pods;
        foreach (var pod in pods.Values.Where(_ => random.Next(20) == 0)) pods = pods.SetItem(pod.Name, random.Next(2) == 0 ? pod with { Gone = true } : pod with { Connected = false });
        return (state with
        {
            Spec = state.Spec with { Policy = policy },
            Recoveries = [.. before, .. state.Recoveries],
            BestStep = Math.Max(state.BestStep, random.Next(-1, 1200)),
            CellSteps = cells,
            Quarantined = quarantined,
            Nodes = nodes,
            Pods = pods,
        }, now.AddMilliseconds(random.Next(0, 3000)));
    }

    private static Failure Failing(GangState state, DateTimeOffset now, Random random)
    {
        var failure = new Failure(Kind(random), random.Next(2) == 0 ? "unlucky" : "CUDA error: 7", now.AddMilliseconds(-random.Next(0, 5000)));
        if (random.Next(8) == 0) return failure;
        var pod = state.Pods[state.Workers[random.Next(state.Workers.Length)]];
        return FailureDetector.Of(pod, failure.Kind, failure.Evidence, failure.At, "test") with
        {
            ExitCode = random.Next(2) == 0 ? random.Next(1, 256) : null,
            Signal = random.Next(3) == 0 ? random.Next(1, 65) : null,
            StderrTail = random.Next(3) == 0 ? "a\nCUDA error: 12" : "",
        };
    }

    /// <summary>
    /// Drives the machine as its loop does: an input, then whatever it asks to be woken for, a save that is through at once. The first thing that
    /// it tells about a decision is the answer.
    /// </summary>
    private static string WhatItDoes(GangState state, Failure failure, DateTimeOffset now)
    {
        List<GangInput> inbox = [new FailureReported(failure)];
        var saving = state.SavedSequence < state.SaveSequence ? new RecordSaved(state.SaveSequence) : null;
        var told = false;
        while (true)
        {
            var result = GangMachine.Step(state, inbox, now);
            inbox.Clear();
            foreach (var effect in result.Effects)
            {
                switch (effect)
                {
                    case Publish { Event: FailureDetected { Failure: var f } } when f.Evidence == failure.Evidence && f.Kind == failure.Kind: told = true; break;
                    case Publish { Event: RecoveryPlanned planned }: return Says(planned.Plan);
                    case Publish { Event: GangNotice { Text: var text } } when text.StartsWith("ignored (", StringComparison.Ordinal): return $"Ignore {text[9..text.LastIndexOf("): ", StringComparison.Ordinal)]}";
                    case SaveRecord save: inbox.Add(new RecordSaved(save.Sequence)); break;
                    default: break;
                }
            }

            // Joining a recovery without a step of its own is told only if it changes the cause; the plan is in the state all the same.
            var joined = told && result.State.Failures.IsEmpty;
            state = result.State;
            if (state.Phase == GangPhase.Failed) return $"FailGang {state.Outcome}";
            if (joined) return Says(state.Plan!);
            if (!told && state.Failures.IsEmpty) return "nothing new";
            if (saving is not null) inbox.Insert(0, saving);
            saving = null;
            if (inbox.Count > 0) continue;
            if (result.NextWake is not { } wake) return "nothing, for ever";
            now = wake;
            inbox.Add(new Tick());
        }
    }

    private static bool IsNothingNew(GangState state, string says) =>
        says.StartsWith("Ignore a failure of this Pod", StringComparison.Ordinal) || (state.Plan is { } plan && says == Says(plan));

    private static string Says(RecoveryPlan plan) => plan.Strategy switch
    {
        RecoveryStrategy.FailGang => $"FailGang {plan.Cause} ({plan.Reason})",
        RecoveryStrategy.Ignore => $"Ignore {plan.Reason}",
        _ => $"{plan.Strategy} {plan.Attempt} {plan.Decided:O} {plan.NotBefore:O} {plan.Decision} {string.Join(",", plan.AvoidNodes)}\n{plan.ToText()}{string.Join('\n', plan.Steps)}\n{string.Join('\n', plan.Failures)}",
    };

    private static FailureKind Kind(Random random) => (FailureKind)random.Next(Enum.GetValues<FailureKind>().Length);
}
