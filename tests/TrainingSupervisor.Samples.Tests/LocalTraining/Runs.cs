using LocalTraining.Running;
using LocalTraining.View;

namespace TrainingSupervisor.Samples.Tests.LocalTraining;

/// <summary>Made-up runs, for what shows them.</summary>
internal static class Runs
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static RunState Of(int workers, int events = 30)
    {
        var run = new RunState($"gang llm: {workers} workers and 1 spare", 360);
        run.Take(new SupervisorLine
        {
            Status = new GangStatusLine("Running", 3,
            [
                .. Enumerable.Range(0, workers).Select(r => new WorkerLine(r, $"trainer-{r}", $"llm-trainer-{r}-1", $"node-{r}", r == 1 ? "Restarting" : "Running", 3, 100 + r)),
                new WorkerLine(-1, null, "llm-trainer-spare-1", "node-99", "Waiting", 0, -1),
            ]),
        });
        run.NextFault = "step 300: kill -9 of rank 3's worker process, and of the supervisor in that recovery";
        for (var i = 0; i < events; i++)
        {
            run.Take(new SupervisorLine
            {
                Event = new EventLine(run.Started.AddSeconds(i), "warning", $"event {i}: ApplicationError of trainer-7 in Pod llm-trainer-7-1 on node-7: exit code 13, [lost] peer rank 6\nsecond line"),
            });
        }

        return run;
    }

    public static RecoveryLine Recovery(int attempt, bool commanded = true) => new(
        attempt, "NodeLost: node-4 has not renewed its lease for 2.5 s, and its agent is silent", "trainer-4 on node-4", "7 restart in place, 1 replace with spare",
        new RecoveryTiming(Start, At(31), At(82), commanded ? At(93) : null, At(1644), At(3905), At(4116), At(6547)));

    public static MoveLine Move(int attempt) => new(Start, attempt, 1, "llm-trainer-1-1", "llm-trainer-spare-1", ToSpare: true);

    private static DateTimeOffset At(int milliseconds) => Start.AddMilliseconds(milliseconds);
}
