using static TrainingSupervisor.Agent.Tests.Messages;
using Phase = TrainingSupervisor.Protocol.AgentState.Types.Phase;

namespace TrainingSupervisor.Agent.Tests;

public sealed class QuiesceTests : AgentTest
{
    private const string Loop = "echo 'step 1' >> $GANG_PROGRESS_FILE; while :; do sleep 0.05; done";

    [Theory]
    [InlineData("trap 'echo checkpoint 5 >> $GANG_PROGRESS_FILE' USR1", true)]
    [InlineData("trap 'exit 0' USR1", true)]
    [InlineData("trap 'exit 1' USR1", false)]
    public async Task Quiesce_OfAWorker_AnswersWhetherItHasSaved(string trap, bool saved)
    {
        await RunAsync($"{trap}; {Loop}");
        await Gateway.NextAsync(m => m.Progress is not null);

        await Gateway.SayAsync(Quiesce(1));

        var answer = (await Gateway.NextAsync(m => m.Quiesced is not null)).Quiesced;
        Assert.Equal((1, saved), (answer.Attempt, answer.Saved));
    }

    [Fact]
    public async Task Quiesce_OfAWorkerThatIgnoresIt_AnswersAtTheDeadline()
    {
        await RunAsync($"trap '' USR1; echo 'checkpoint 9' >> $GANG_PROGRESS_FILE; {Loop}");
        await Gateway.NextAsync(m => m.Progress?.Step == 1);

        await Gateway.SayAsync(Quiesce(1, deadline: 300));

        Assert.False((await Gateway.NextAsync(m => m.Quiesced is not null)).Quiesced.Saved);
    }

    [Fact]
    public async Task Quiesce_OfAnotherAttempt_IsRefused()
    {
        await RunAsync($"trap '' USR1; {Loop}");
        await Gateway.NextStateAsync(Phase.Running);

        await Gateway.SayAsync(Quiesce(2));

        Assert.Contains("nothing of attempt 2 to save", (await Gateway.NextAsync(m => m.Refused is not null)).Refused.Reason, StringComparison.Ordinal);
    }
}
