using System.Net;
using k8s.Autorest;
using TrainingSupervisor.Kubernetes.Tests.Faults;

namespace TrainingSupervisor.Kubernetes.Tests.Calls;

public sealed class ApiCallsTests
{
    private static readonly Permission CreatePods = Permissions.Of("create", "pods", "default");

    private readonly TestClock _clock = new();
    private readonly ApiCalls _calls;
    private int _tries;

    public ApiCallsTests() => _calls = new ApiCalls(new KubernetesOptions(), new Uri("https://1.2.3.4"), _clock, () => 0.5);

    [Fact]
    public async Task Run_UnauthorizedAtFirst_IsRejectedAtOnce()
    {
        await Assert.ThrowsAsync<RejectedException>(() => RunAsync(HttpStatusCode.Unauthorized, times: 1));
        Assert.Equal(1, _tries);
    }

    [Fact]
    public async Task Run_UnauthorizedAfterItWorked_IsTriedAgain()
    {
        await RunAsync(HttpStatusCode.OK, times: 0);
        Assert.Equal("done", await MoveAsync(RunAsync(HttpStatusCode.Unauthorized, times: 2)));
        Assert.Equal(4, _tries);
    }

    [Fact]
    public async Task Run_UnauthorizedForGoodAfterItWorked_IsNoReasonToGiveUpTheGang()
    {
        await RunAsync(HttpStatusCode.OK, times: 0);
        var e = await Assert.ThrowsAnyAsync<SupervisorException>(() => MoveAsync(RunAsync(HttpStatusCode.Unauthorized, times: 99)));
        Assert.IsNotType<RejectedException>(e);
    }

    [Fact]
    public async Task Run_RoleMissingAfterItWasThere_IsTriedAgain()
    {
        const string Body = """{"message":"pods is forbidden: User \"a\" cannot create resource \"pods\" in API group \"\" in the namespace \"default\""}""";
        await RunAsync(HttpStatusCode.OK, times: 0);
        Assert.Equal("done", await MoveAsync(RunAsync(HttpStatusCode.Forbidden, times: 2, Body)));
        var e = await Assert.ThrowsAsync<RejectedException>(() => RunAsync(HttpStatusCode.Forbidden, times: 1, Body, Permissions.Of("get", "pods", "default")));
        Assert.Contains("This Role would allow it", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_RefusedByAdmission_NamesNoRole()
    {
        await RunAsync(HttpStatusCode.OK, times: 0);
        var e = await Assert.ThrowsAsync<RejectedException>(() => RunAsync(HttpStatusCode.Forbidden, times: 1, """{"message":"pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\""}"""));
        Assert.Contains("violates PodSecurity", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Role", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_QuotaIsFull_IsNoRefusalForGood()
    {
        var e = await Assert.ThrowsAsync<SupervisorException>(() => RunAsync(HttpStatusCode.Forbidden, times: 1, """{"message":"pods \"x\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=8, limited: pods=8"}"""));
        Assert.Contains("for now: pods \"x\" is forbidden: exceeded quota: compute", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("7", 7)]
    [InlineData("86400", 30)]
    public async Task Run_RetryAfter_IsHonouredWithinReason(string header, int seconds)
    {
        var running = RunAsync(HttpStatusCode.TooManyRequests, times: 1, retryAfter: header);
        Assert.Equal(TimeSpan.FromSeconds(seconds), await _clock.ArmedAsync(TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(seconds)));
        _clock.Advance(TimeSpan.FromSeconds(seconds));
        Assert.Equal("done", await running.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Run_OneWaitsForItsNextTry_OthersAreNotHeldUp()
    {
        var calls = new ApiCalls(new KubernetesOptions { MaxConcurrentRequests = 1 }, new Uri("https://1.2.3.4"), _clock, () => 0.5);
        using var stop = new CancellationTokenSource();
        var waiting = calls.RunAsync<string>(CreatePods, _ => throw Error(HttpStatusCode.ServiceUnavailable, "{}", "20"), stop.Token);
        await _clock.ArmedAsync(TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(20));
        Assert.Equal("done", await calls.RunAsync(CreatePods, _ => Task.FromResult("done"), default).WaitAsync(TimeSpan.FromSeconds(30)));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    private Task<string> RunAsync(HttpStatusCode code, int times, string body = "{}", Permission? permission = null, string? retryAfter = null)
    {
        var left = times;
        return _calls.RunAsync(
            permission ?? CreatePods,
            _ =>
            {
                _tries++;
                return left-- > 0 ? throw Error(code, body, retryAfter) : Task.FromResult("done");
            },
            default);
    }

    private async Task<string> MoveAsync(Task<string> running)
    {
        var limit = DateTime.UtcNow.AddSeconds(30);
        while (!running.IsCompleted && DateTime.UtcNow < limit)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(5);
        }

        return await running;
    }

    private static HttpOperationException Error(HttpStatusCode code, string body, string? retryAfter)
    {
        using var response = new HttpResponseMessage(code);
        if (retryAfter is not null) response.Headers.TryAddWithoutValidation("Retry-After", retryAfter);
        return new HttpOperationException { Response = new HttpResponseMessageWrapper(response, body) };
    }
}
