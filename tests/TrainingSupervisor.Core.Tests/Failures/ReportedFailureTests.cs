namespace TrainingSupervisor.Core.Tests.Failures;

public sealed class ReportedFailureTests
{
    [Theory]
    [InlineData("NodeUnhealthy: XID 79", FailureKind.NodeUnhealthy, "XID 79")]
    [InlineData("nodedraining: spot notice", FailureKind.NodeDraining, "spot notice")]
    [InlineData("  OutOfMemory  :  row remap failed  ", FailureKind.OutOfMemory, "row remap failed")]
    [InlineData("Hang: rank 3: no step", FailureKind.Hang, "rank 3: no step")]
    [InlineData("HealthCheckFailed", FailureKind.HealthCheckFailed, "reported without evidence")]
    [InlineData("HealthCheckFailed:", FailureKind.HealthCheckFailed, "reported without evidence")]
    public void OfNode_Kind_IsReadWithoutRegardToCase(string annotation, FailureKind kind, string evidence) =>
        Assert.Equal((kind, evidence), ReportedFailure.OfNode(annotation));

    [Theory]
    [InlineData("fan broken")]
    [InlineData("fan: broken")]
    [InlineData("3: a number is no kind")]
    [InlineData(": nothing before it")]
    [InlineData("NodeUnhealthy, Hang: two are none")]
    public void OfNodeAndOfPod_NoKind_IsEvidenceAsAWhole(string annotation)
    {
        Assert.Equal((FailureKind.NodeUnhealthy, annotation), ReportedFailure.OfNode(annotation));
        Assert.Equal((FailureKind.HealthCheckFailed, annotation), ReportedFailure.OfPod(annotation));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" \n")]
    public void OfPod_Nothing_IsNoFailure(string? annotation) => Assert.Null(ReportedFailure.OfPod(annotation));

    [Fact]
    public void OfPod_LongTextOfManyLines_IsOneLineOfBoundedLength()
    {
        var (_, evidence) = ReportedFailure.OfPod("Killed: one\r\ntwo\t" + new string('x', 250_000))!.Value;
        Assert.StartsWith("one  two x", evidence, StringComparison.Ordinal);
        Assert.Equal(1001, evidence.Length);
    }
}
