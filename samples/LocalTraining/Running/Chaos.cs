using System.Diagnostics;
using LocalTraining.View;
using TrainingSupervisor.Testing;

namespace LocalTraining.Running;

/// <summary>
/// Breaks things on a schedule. The trainers are told the faults beforehand by files, so that each strikes in exactly its step: they fail,
/// hang or slow down by themselves, or hold still until what must come from outside has come.
/// </summary>
internal sealed class Chaos(
    EmbeddedCluster cluster, RunState run, string lossFile, string faultsDirectory, IReadOnlyList<Fault> schedule, Func<Task> crashSupervisor)
{
    /// <summary>As a cloud gives it half a minute before it takes a spot machine back.</summary>
    private static readonly NodeTaint Notice = new("cloud.google.com/impending-node-termination", "", "NoSchedule");
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    private readonly List<Task> _measured = [];

    /// <summary>How many of the faults have struck and were answered.</summary>
    public int Struck { get; private set; }

    /// <summary>How many steps were trained again because a node announced its end.</summary>
    public int DrainCost { get; private set; }

    public void Prepare()
    {
        foreach (var fault in schedule) File.WriteAllText(PathOf(fault), "");
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        for (var i = 0; i < schedule.Count; i++)
        {
            var fault = schedule[i];
            run.NextFault = $"step {fault.Step}: {fault.Words}";
            if (fault.Kind == FaultKind.Slow) await SlowAsync(fault, i + 1 < schedule.Count ? schedule[i + 1].Step : run.Steps, cancellationToken);
            else await BreakAsync(fault, cancellationToken);
            Struck++;
        }

        run.NextFault = "";
        await Task.WhenAll(_measured);
    }

    /// <summary>Nothing is to be done about it, but it is to be named, and no other.</summary>
    private async Task SlowAsync(Fault fault, int until, CancellationToken cancellationToken)
    {
        await UntilAsync(() => run.Step >= fault.Step, cancellationToken);
        run.Fault(fault.Words, fault.Step);
        bool Named() => run.Stragglers().Any(s => s.Rank == fault.Rank);
        await UntilAsync(() => Named() || run.Step >= until - 1, cancellationToken);
        File.Delete(PathOf(fault));
        if (!Named()) throw new ChaosException($"rank {fault.Rank} was slow for {run.Step - fault.Step} steps, and nobody said so");
        run.Say($"rank {fault.Rank} was named a straggler within {run.Step - fault.Step} steps; the policy does nothing about it, and it is fast again");
    }

    private async Task BreakAsync(Fault fault, CancellationToken cancellationToken)
    {
        var node = "";
        var attempt = 0;
        if (fault.Kind is FaultKind.Fail or FaultKind.Hang) attempt = await TakenAsync(fault, cancellationToken);
        else
        {
            await UntilAsync(() => HeldAt(fault), cancellationToken);
            (attempt, node) = (run.Attempt, At(fault.Rank)!.Node!);
            run.Fault(fault.Words, fault.Step);
            if (fault.Kind == FaultKind.KillNode) await cluster.Nodes[node].FailAsync();
            else if (fault.Kind == FaultKind.Drain) await cluster.Nodes[node].AddTaintAsync(Notice);
            else KillWorker(fault.Rank);
            File.Delete(PathOf(fault));
        }

        await UntilAsync(() => run.PlannedAttempt > attempt, cancellationToken);
        if (fault.Kind == FaultKind.KillWorkerAndSupervisor)
        {
            run.Fault("kill -9 of the supervisor, in the middle of that recovery", fault.Step);
            await crashSupervisor();
        }

        _measured.Add(MeasureAsync(fault, attempt, cancellationToken));
        if (fault.Kind != FaultKind.Drain) return;
        await UntilAsync(() => run.Status is { Phase: "Running" } status && status.Attempt > attempt, cancellationToken);
        await cluster.Nodes[node].FailAsync();
        run.Say($"{node} is gone as it had announced; no worker was on it any more");
    }

    /// <summary>Waits until the trainer has broken itself; returns the attempt that it was in.</summary>
    private async Task<int> TakenAsync(Fault fault, CancellationToken cancellationToken)
    {
        var attempt = run.Attempt;
        await UntilAsync(
            () =>
            {
                if (!File.Exists(PathOf(fault))) return true;
                attempt = run.Attempt;
                return false;
            },
            cancellationToken);
        run.Fault(fault.Words, fault.Step);
        return attempt;
    }

    /// <summary>Not waited for: the first step after the recovery may be the one in which the next fault is held ready.</summary>
    private async Task MeasureAsync(Fault fault, int attempt, CancellationToken cancellationToken)
    {
        Resumption? resumed = null;
        await UntilAsync(() => run.Status is { Phase: not "Recovering" } && (resumed = Resumption.Next(LossLine.Read(lossFile), attempt)) is not null, cancellationToken);
        run.Say($"attempt {resumed!.Attempt} goes on after step {resumed.After}: {resumed.LostText}");
        if (fault.Kind == FaultKind.Drain) DrainCost = resumed.Lost;
    }

    /// <summary>The rank waits in the step. If a spare is to take its place, one is there.</summary>
    private bool HeldAt(Fault fault) =>
        File.Exists(Path.Combine(faultsDirectory, fault.FileName.Replace("hold-", "held-", StringComparison.Ordinal)))
        && run.Status is { Phase: "Running" } status && At(fault.Rank) is { State: "Running" } worker && worker.Attempt == status.Attempt
        && (fault.Kind is not (FaultKind.KillNode or FaultKind.Drain) || status.Workers.Any(w => w is { Rank: < 0, State: "Waiting" }));

    private WorkerLine? At(int rank) => run.Status!.Workers.FirstOrDefault(w => w.Rank == rank);

    private void KillWorker(int rank)
    {
        var pod = At(rank)!.Pod;
        var name = Path.GetFileName(Places.Trainer);
        var killed = 0;
        foreach (var id in cluster.FindProcesses(pod, "worker"))
        {
            try
            {
                using var process = Process.GetProcessById(id);
                if (process.ProcessName != name) continue;
                process.Kill();
                killed++;
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                // It ended by itself between the look and the kill.
            }
        }

        if (killed == 0) throw new ChaosException($"Pod {pod} of rank {rank} has no process {name} to kill");
    }

    private string PathOf(Fault fault) => Path.Combine(faultsDirectory, fault.FileName);

    private static async Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        while (!condition()) await Task.Delay(Look, cancellationToken);
    }
}
