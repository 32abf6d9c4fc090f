@echo off
rem Runs runner-metrics.js with the newest Node that GitHub's runner brings.
setlocal EnableExtensions DisableDelayedExpansion
set "root="
rem Without quotes, which no path has: whatever else is in it stays between those below.
if defined RUNNER_METRICS_RUNNER set "root=%RUNNER_METRICS_RUNNER:"=%"
if exist "%~dp0runner-metrics.conf" for /f "usebackq tokens=1,* delims==" %%a in ("%~dp0runner-metrics.conf") do if "%%a"=="RUNNER_METRICS_RUNNER" set "root=%%b"
if defined root set "root=%root:"=%"
if not defined root if "%~1"=="run" if exist "%CD%\externals" set "root=%CD%"
set "node="
set "newest=19"
if defined root if exist "%root%\externals" (
  pushd "%root%\externals"
  for /d %%d in (node*) do call :candidate "%%~fd" "%%~nxd"
  popd
)
if not defined node goto missing
set "RUNNER_METRICS_RUNNER=%root%"
for %%p in (NODE_ OPENSSL_ SSL UV_) do call :clean %%p "%~1"
"%node%" "%~dp0runner-metrics.js" %*
set "code=%ERRORLEVEL%"
if "%~1"=="run" exit /b %code%
if "%~1"=="check" exit /b %code%
if "%code%"=="2" exit /b 2
exit /b 0

:candidate
set "version=%~2"
set "version=%version:~4%"
if not exist "%~1\bin\node.exe" exit /b 0
if %version% GTR %newest% (
  set "newest=%version%"
  set "node=%~1\bin\node.exe"
)
exit /b 0

rem Variables that change what Node does. Their values go to the command that `run` starts. With one that is certainly there, `set` has no
rem reason to complain that there is none.
:clean
set "%1=x"
for /f "tokens=1,* delims==" %%a in ('set %1') do (
  if "%~2"=="run" if not "%%a"=="%1" set "RUNNER_METRICS_KEPT_%%a=%%b"
  set "%%a="
)
exit /b 0

:missing
echo runner-metrics: %~1: no Node 20 or later in externals\ of the runner: is RUNNER_METRICS_RUNNER its directory? 1>&2
if "%~1"=="check" exit /b 1
if "%~1"=="--version" exit /b 1
if not "%~1"=="run" exit /b 0
set "rest=%*"
set "rest=%rest:*run =%"
if "%rest:~0,3%"=="-- " set "rest=%rest:~3%"
endlocal & call %rest%
exit /b %ERRORLEVEL%
