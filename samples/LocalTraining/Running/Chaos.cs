using System.Diagnostics;
using LocalTraining.View;
using TrainingSupervisor.Testing;

namespace LocalTraining.Running;

/// <summary>
/// Breaks things on a schedule. The trainers are told the faults beforehand by files, so that each strikes in exactly its step: they fail or
/// hang by themselves, or hold still until what must come from outside has come.
/// </summary>
internal sealed class Chaos(EmbeddedCluster cluster, RunState run, string faultsDirectory, IReadOnlyList<Fault> schedule, Func<Task> crashSupervisor)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    /// <summary>How many of the faults have struck and were answered by a recovery.</summary>
    public int Struck { get; private set; }

    public void Prepare()
    {
        foreach (var fault in schedule) File.WriteAllText(PathOf(fault), "");
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        foreach (var fault in schedule)
        {
            run.NextFault = $"step {fault.Step}: {fault.Words}";
            var attempt = await StrikeAsync(fault, cancellationToken);
            await UntilAsync(() => run.PlannedAttempt > attempt, cancellationToken);
            if (fault.Kind == FaultKind.KillWorkerAndSupervisor)
            {
                run.Fault("kill -9 of the supervisor, in the middle of that recovery", fault.Step);
                await crashSupervisor();
            }

            Struck++;
        }

        run.NextFault = "";
    }

    /// <summary>Returns the attempt that was struck.</summary>
    private async Task<int> StrikeAsync(Fault fault, CancellationToken cancellationToken)
    {
        var path = PathOf(fault);
        if (fault.Kind is FaultKind.Fail or FaultKind.Hang)
        {
            var before = run.PlannedAttempt;
            await UntilAsync(
                () =>
                {
                    var taken = !File.Exists(path);
                    if (!taken) before = run.PlannedAttempt;
                    return taken;
                },
                cancellationToken);
            run.Fault(fault.Words, fault.Step);
            return before;
        }

        await UntilAsync(() => HeldAt(fault), cancellationToken);
        var attempt = run.PlannedAttempt;
        run.Fault(fault.Words, fault.Step);
        if (fault.Kind == FaultKind.KillNode) await cluster.Nodes[At(fault.Rank)!.Node!].FailAsync();
        else KillWorker(fault.Rank);
        File.Delete(path);
        return attempt;
    }

    private bool HeldAt(Fault fault) =>
        run.Status is { Phase: "Running" } status && At(fault.Rank) is { State: "Running" } worker
        && worker.Attempt == status.Attempt && (worker.Step == fault.Step - 1 || (fault.Step == 1 && worker.Step < 0));

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

        if (killed == 0) throw new InvalidOperationException($"Pod {pod} of rank {rank} has no process {name} to kill");
    }

    private string PathOf(Fault fault) => Path.Combine(faultsDirectory, fault.FileName);

    private static async Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        while (!condition()) await Task.Delay(Look, cancellationToken);
    }
}
