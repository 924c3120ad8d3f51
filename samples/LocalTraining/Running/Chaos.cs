using System.Diagnostics;
using LocalTraining.View;
using TrainingSupervisor.Testing;

namespace LocalTraining.Running;

/// <summary>Breaks things on a schedule that is printed beforehand, each at a step of the training.</summary>
internal sealed class Chaos(EmbeddedCluster cluster, RunState run, string faultsDirectory, Settings settings, Func<Task> crashSupervisor)
{
    private readonly List<(long Step, string What, Func<Task> Do)> _schedule = [];

    public void Plan()
    {
        var random = new Random(settings.Seed);
        var ranks = Enumerable.Range(0, settings.Workers).ToArray();
        random.Shuffle(ranks);
        int Victim(int i) => ranks[i % ranks.Length];
        var fifth = settings.Steps / 6;
        _schedule.Add((fifth, $"kill -9 of rank {Victim(0)}'s worker process", () => KillWorker(Victim(0))));
        _schedule.Add((2 * fifth, $"rank {Victim(1)} exits with an application error", () => Misbehave("fail", Victim(1))));
        _schedule.Add((3 * fifth, $"the node of rank {Victim(2)} dies and never comes back", () => FailNode(Victim(2))));
        _schedule.Add((4 * fifth, $"rank {Victim(3)} hangs", () => Misbehave("hang", Victim(3))));
        if (settings.CrashSupervisor)
        {
            _schedule.Add((5 * fifth, $"kill -9 of rank {Victim(4)}'s worker process, and of the supervisor in the middle of that recovery", async () =>
            {
                var recoveries = run.Status?.Attempt;
                await KillWorker(Victim(4));
                while (run.Status?.Attempt == recoveries) await Task.Delay(2);
                run.Fault("kill -9 of the supervisor, within the recovery");
                await crashSupervisor();
            }));
        }
    }

    public IEnumerable<string> Lines() => _schedule.Select(f => $"  at step {f.Step,4}: {f.What}");

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        foreach (var (step, what, act) in _schedule)
        {
            run.NextFault = $"step {step}: {what}";
            while (run.Furthest < step || run.Status?.Phase != "Running") await Task.Delay(10, cancellationToken);
            run.Fault(what);
            await act();
            // Each fault gets a recovery of its own.
            var attempt = run.Status?.Attempt;
            while (run.Status?.Attempt == attempt && run.Status?.Phase == "Running") await Task.Delay(10, cancellationToken);
        }

        run.NextFault = "";
    }

    private WorkerLine At(int rank) => run.Status!.Workers.First(w => w.Rank == rank);

    private Task KillWorker(int rank)
    {
        foreach (var id in cluster.FindProcesses(At(rank).Pod, "worker"))
        {
            using var process = TryGet(id);
            if (process?.ProcessName == "trainer") process.Kill();
        }

        return Task.CompletedTask;
    }

    private Task Misbehave(string fault, int rank)
    {
        File.WriteAllText(Path.Combine(faultsDirectory, $"{fault}-{rank}"), "");
        return Task.CompletedTask;
    }

    private Task FailNode(int rank) => cluster.Nodes[At(rank).Node!].FailAsync();

    private static Process? TryGet(int id)
    {
        try
        {
            return Process.GetProcessById(id);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
