using System.Text;
using TrainingSupervisor.Agent.Beside;

namespace TrainingSupervisor.Agent.Tests.Beside;

public sealed class FailurePatternsTests
{
    private readonly List<string> _found = [];

    [Theory]
    [InlineData("NCCL WARN: timeout after 600 s", "NCCL.*timeout")]
    [InlineData("[rank3] CUDA error: an illegal memory access", "Xid \\d+|CUDA error")]
    [InlineData("uncorrectable ecc error", "(?i)ECC ERROR")]
    public void Match_ALineThatFits_NamesLineAndPattern(string line, string pattern) =>
        Assert.Equal((pattern, $"{line} (failure pattern '{pattern}')"), (FailurePatterns.Of(["nothing", pattern]).Match(line), FailurePatterns.Words(line, pattern)));

    [Theory]
    [InlineData("all is well")]
    [InlineData("NCCL INFO: connected")]
    [InlineData("a timeout of the data loader")]
    public void Match_OtherLines_IsNull(string line) => Assert.Null(FailurePatterns.Of(["NCCL.*timeout", "CUDA error"]).Match(line));

    [Fact]
    public void Match_APatternThatWouldBacktrackForEver_ComesToAnEnd() =>
        Assert.Null(FailurePatterns.Of(["^(a+)+$"]).Match(new string('a', 4000) + "b"));

    [Fact]
    public void Of_APatternThatCannotBeRead_LeavesOnlyThatOut()
    {
        var patterns = FailurePatterns.Of(["(", "(?=x)", "bad"]);

        Assert.NotNull(patterns.Match("so bad"));
        Assert.Null(patterns.Match("("));
    }

    [Fact]
    public void Match_OfAnEndlessLineOrOneWithControlCharacters_IsShortAndPrintable()
    {
        var words = FailurePatterns.Words("\u001b[31mbad\t" + new string('x', 4000), "bad");

        Assert.InRange(words.Length, 500, 600);
        Assert.DoesNotContain(words, char.IsControl);
    }

    [Fact]
    public void Take_ALineInPieces_IsSeenOnceItIsWhole()
    {
        var watch = Watch(FailurePatterns.Of(["^bad line$"]));
        Take(watch, "one\nbad");
        Take(watch, " lin");
        Assert.Empty(_found);

        Take(watch, "e\nbad line\n");

        Assert.Equal("bad line (failure pattern '^bad line$')", Assert.Single(_found));
    }

    [Fact]
    public void Take_ALineOfSeveralThousandCharacters_IsLookedAtAsFarAsItIsKept()
    {
        var watch = Watch(FailurePatterns.Of(["near", "far"]));

        Take(watch, new string('x', 5000) + "far\n");
        Assert.Empty(_found);
        Take(watch, new string('x', 3000) + "near\n");
        Assert.Single(_found);
    }

    [Fact]
    public void Take_ALineAfterAProgressBarThatWritesOverItself_IsSeen()
    {
        var watch = Watch(FailurePatterns.Of(["^CUDA error$"]));
        for (var step = 0; step < 1000; step++) Take(watch, $"\r{step}/1000 |#####     | 1.00it/s");

        Take(watch, "\rCUDA error\r\n");

        Assert.Single(_found);
    }

    [Fact]
    public void Take_PatternsThatComeInTheMiddleOfALine_AreTriedOnAllOfIt()
    {
        var patterns = FailurePatterns.None;
        var watch = new StderrWatch(() => patterns, _found.Add);
        Take(watch, "bad line\nbad ");
        patterns = FailurePatterns.Of(["^bad line$"]);

        Take(watch, "line\n");

        Assert.Single(_found);
    }

    [Fact]
    public void Take_LinesForSeveralPatterns_AreToldOncePerPattern()
    {
        var watch = Watch(FailurePatterns.Of(["NCCL WARN", "CUDA error", "Xid"]));
        for (var i = 0; i < 100; i++) Take(watch, $"NCCL WARN {i}\nfine\n");

        Take(watch, "CUDA error\nNCCL WARN, Xid 79 and CUDA error\n");

        Assert.Equal(
            ["NCCL WARN 0 (failure pattern 'NCCL WARN')", "CUDA error (failure pattern 'CUDA error')", "NCCL WARN, Xid 79 and CUDA error (failure pattern 'Xid')"], _found);
    }

    [Fact]
    public void Take_PatternsThatComeAgainWithOthers_AreTriedUnlessTheyHaveMatched()
    {
        var patterns = FailurePatterns.Of(["a1"]);
        var watch = new StderrWatch(() => patterns, _found.Add);
        Take(watch, "a1\na1\nb");
        patterns = FailurePatterns.Of(["a1", "b2"]);

        Take(watch, "2\na1\nb2\n");

        Assert.Equal(["a1 (failure pattern 'a1')", "b2 (failure pattern 'b2')"], _found);
    }

    [Fact]
    public void Take_MorePatternsThanAreTold_TellsTheFirst()
    {
        var watch = Watch(FailurePatterns.Of([.. Enumerable.Range(10, 90).Select(i => $"p{i}")]));

        Take(watch, string.Concat(Enumerable.Range(10, 90).Select(i => $"p{i}\n")));

        Assert.Equal(Enumerable.Range(10, StderrWatch.MostFound).Select(i => $"p{i} (failure pattern 'p{i}')"), _found);
    }

    private StderrWatch Watch(FailurePatterns patterns) => new(() => patterns, _found.Add);

    private static void Take(StderrWatch watch, string text) => watch.Take(Encoding.UTF8.GetBytes(text));
}
